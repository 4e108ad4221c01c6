"""The layouts that data sets come in, and the one form that all of them become."""

import io

import numpy as np
import pytest
from toy import INFO, OTHER, TOY, same

from zoo.data.formats import CIFAR_BINARY, CIFAR_PNG, Arrays, canonical, sha256


def test_cifar_is_the_same_from_both_layouts():
    from PIL import Image

    random = np.random.RandomState(1)
    images = random.randint(0, 256, (12, 32, 32, 3)).astype(np.uint8)
    labels = random.randint(0, 10, 12).astype(np.uint8)
    binary, png = {}, {}
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for number, name in enumerate(names):
        part = slice(2 * number, 2 * number + 2)
        planes = images[part].transpose(0, 3, 1, 2).reshape(2, -1)
        binary[f"{name}.bin"] = np.concatenate([labels[part, None], planes], axis=1).tobytes()
        stream = io.BytesIO()
        Image.fromarray(images[part].reshape(2, 1024, 3)).save(stream, "PNG")  # a row is an image
        png[f"{name}.png"] = stream.getvalue()
    png["train_lables.json"] = str(labels[:10].tolist()).encode()
    png["test_lables.json"] = str(labels[10:].tolist()).encode()
    expected = Arrays(images[:10], labels[:10], images[10:], labels[10:])
    assert same(CIFAR_BINARY.decode(binary), expected)
    assert same(CIFAR_PNG.decode(png), expected)


def test_canonical_refuses_what_does_not_fit():
    assert same(canonical(INFO, TOY._replace(y_train=TOY.y_train.astype(np.int64))), TOY)
    for wrong in (TOY._replace(y_train=TOY.y_train.astype(np.int64) + 256), TOY._replace(x_test=TOY.x_test[:2])):
        with pytest.raises(ValueError):
            canonical(INFO, wrong)


def test_the_hash_covers_content_and_order():
    assert sha256(TOY) != sha256(OTHER)
    assert sha256(TOY) == sha256(Arrays(*(np.asfortranarray(array) for array in TOY)))
