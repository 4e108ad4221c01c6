"""A value of a game leaves as one graph: networks, functions, states and all, with what a user may give as inputs."""

import json
import re

import numpy as np
import pytest
import tiny
from keras import ops

import zoo
from zoo.core.errors import ServeError, SpecError
from zoo.export import exporter, samples
from zoo.train import loop
from zoo.train.kept import read_images

HEAD = """
name: leaves
title: A game of parts
data: {source: digits, size: 8, channels: 1}
latent: {z: {normal: {shape: [6]}}}
defaults: {BatchNormalization: {momentum: 0.9, epsilon: 1e-5}}
"""
STYLES = (
    HEAD
    + """
networks:
  mapping: {inputs: z, output: w, layers: [Dense: {units: 5}, BatchNormalization, ReLU]}
  synthesis:
    inputs: {styles: [2, 4]}
    output: image
    layers:
      - Flatten
      - Dense: {units: 64}
      - BatchNormalization
      - Reshape: {target_shape: [8, 8, 1]}
      - Activation: {activation: tanh}
  discriminator: {inputs: image, output: logits, layers: [Flatten, Dense: {units: 1}]}
algorithm:
  game:
    values:
      w: mapping
      some: {slice: {of: w, start: 1, size: 4}}
      z2: {another: z}
      w2: {mapping: {z: z2}}
      styles: {style_mixing: {of: some, with: {slice: {of: w2, start: 1, size: 4}}, layers: 2, probability: 0.9}}
      fake: synthesis
      on_real: discriminator
      on_fake: {discriminator: {image: fake}}
      d_loss: {non_saturating.discriminator: {real: on_real, fake: on_fake}}
      g_loss: {non_saturating.generator: {fake: on_fake}}
      psi: {input: {default: 0.5, within: [0, 1]}}
      near: {lerp: {from: {slice: {of: w_mean, start: 1, size: 4}}, to: some, share: psi}}
      flat: {tiled: {of: near, times: 2}}
      sample: {synthesis: {styles: flat}}
    states: {w_mean: {moving_average: {of: w, decay: 0.5}}}
    phases:
      discriminator: {trains: discriminator, minimise: {d_loss: 1}, optimizer: &a {SGD: {learning_rate: 0.1}}}
      generator: {trains: [mapping, synthesis], minimise: {g_loss: 1}, optimizer: *a}
training: {batch_size: 8, steps: 4, ema_half_life_images: 20}
export: {values: {picture: sample}, batch_norm_batches: 3}
"""
)
READER = (
    HEAD
    + """
networks:
  reader: {inputs: label, output: code, layers: [OneHot: {classes: 10}, Dense: {units: 3}]}
  generator:
    inputs: {z: [6], code: reader}
    output: image
    layers:
      - Concatenate:
        from: [z, code]
      - Dense: {units: 64, activation: tanh}
      - Reshape: {target_shape: [8, 8, 1]}
  discriminator:
    inputs: {image: [8, 8, 1], code: reader}
    output: logits
    layers:
      - from: image
      - Flatten:
        as: flat
      - Concatenate:
        from: [flat, code]
      - Dense: {units: 1}
algorithm:
  game:
    values:
      code: reader
      told: {stop_gradient: code}
      fake: {generator: {code: told}}
      small: {resized: {of: {product: [fake, half]}, size: 4, method: nearest}}
      half: {input: {default: 0.5}}
      right: discriminator
      made: {discriminator: {image: fake}}
      d_loss: {non_saturating.discriminator: {real: right, fake: made}}
      g_loss: {non_saturating.generator: {fake: made}}
    phases:
      discriminator: {trains: [discriminator, reader], minimise: {d_loss: 1}, optimizer: &a {SGD: {learning_rate: 0.1}}}
      generator: {trains: generator, minimise: {g_loss: 1}, optimizer: *a}
training: {batch_size: 4, steps: 2}
export: {values: {generator: fake, small: small}}
"""
)


def numbers(array):
    return ops.convert_to_numpy(array).astype("float64")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return tiny.train(tmp_path_factory.mktemp("styles"), STYLES)


@pytest.fixture(scope="module")
def made(trained, tmp_path_factory):
    return exporter.export(trained, out=tmp_path_factory.mktemp("out"))


def test_two_networks_leave_as_one_graph(made, trained):
    assert {one.name for one in made.folder.iterdir()} >= {"generator.onnx", "golden.npz", "samples.png", "film.png"}
    stated = json.loads((made.folder / "manifest.json").read_text())
    assert [one["name"] for one in stated["inputs"]] == ["z", "psi"] and stated["outputs"][0]["name"] == "image"
    assert stated["inputs"][1]["prior"] == {"given": {"default": 0.5, "low": 0, "high": 1}}
    assert stated["weights"]["kind"] == "ema" and stated["parity"]["max_abs_difference"] < 1e-5
    assert stated["weights"]["parameters"] == sum(trained.spec.plans[n].parameters for n in ("mapping", "synthesis"))
    assert stated["weights"]["batch_norm"] == "mean over 3 batches of 8 latents"


def test_the_graph_computes_the_value_by_hand(made, trained):
    """Batch norm is measured through the very graph, at the psi of training: the second norm sees the first one's."""
    parts = [[numbers(w) for w in trained.algorithm.averages[name].get_weights()] for name in ("mapping", "synthesis")]
    centre = numbers(trained.algorithm.states.values()["w_mean"])[0, 1:]
    assert np.abs(centre).max() > 0.01

    def normed(x, layer, statistics):
        kernel, bias, gamma, beta = parts[layer][:4]
        hidden = x @ kernel + bias
        mean, variance = statistics or (hidden.mean(axis=0), hidden.var(axis=0))
        return (hidden - mean) / np.sqrt(variance + 1e-5) * gamma + beta, (hidden.mean(axis=0), hidden.var(axis=0))

    def value(z, psi, first=None, second=None):
        w, seen = normed(z, 0, first)
        w = np.maximum(w, 0)[:, 1:]
        image, then = normed(np.tile(centre + psi * (w - centre), 2), 1, second)
        return np.tanh(image).reshape(-1, 8, 8, 1), seen, then

    batches = samples.batches(trained.spec, trained.spec.leaving["picture"], 3, read_images(trained.spec))
    seen = [value(batch["z"].astype("float64"), batch["psi"])[1:] for batch in batches]
    measured = [[np.mean(x, axis=0) for x in zip(*layer, strict=True)] for layer in zip(*seen, strict=True)]
    generator = zoo.load(made.folder)
    z, psi = generator.latents(5, seed=3)["z"], np.linspace(0, 1, 5, dtype="float32")[:, None]
    expected = value(z.astype("float64"), psi, *measured)[0]
    np.testing.assert_allclose(generator(z=z, psi=psi), expected, atol=1e-5)
    network = trained.algorithm.as_exported("picture", batches)
    np.testing.assert_allclose(numbers(network({"z": z, "psi": psi})["image"]), expected, atol=1e-5)


def test_a_number_of_the_user_is_offered_by_name(made):
    generator = zoo.load(made.folder)
    plain, whole = generator.sample(4), generator.sample(4, psi=1)
    assert (plain != whole).any() and (plain == generator.sample(4, psi=0.5)).all()
    z = generator.latents(4)["z"]
    np.testing.assert_array_equal(generator.latents(4)["psi"], np.full((4, 1), 0.5, "float32"))
    raw = generator(z=z, psi=np.full((4, 1), 0.7, np.float32))
    np.testing.assert_allclose(generator.sample(4, psi=0.7), (raw + 1) * 127.5, atol=0.51)
    flat = generator.sample(4, psi=0)
    assert (flat == flat[:1]).all()  # all at the average w
    assert (generator.walk(4, stops=2, psi=0.7)[::2] == generator.sample(2, psi=0.7)).all()
    assert generator.interpolate(3, psi=[0.2]).shape == generator.arithmetic([0], [1], [2], n=3).shape == (3, 8, 8, 1)
    for wrong in (1.5, [0.5, -0.1]):
        with pytest.raises(ServeError, match=r"psi must lie in \[0, 1\], received (1\.5|-0\.1)$"):
            generator.sample(2, psi=wrong)


def test_a_reader_and_a_generator_leave_with_a_label(tmp_path):
    spec = tiny.read(tmp_path, READER)
    run = loop.Run(spec, loop.make(spec), 0, 1.0, "", "two cores", tmp_path)
    made = exporter.export(run, out=tmp_path / "out")
    assert {one.name for one in made.folder.iterdir()} >= {"generator.onnx", "small.onnx"}
    generator, small = (zoo.load(made.folder, network=name) for name in ("generator", "small"))
    assert list(generator.inputs) == ["z", "label"] and list(generator.inputs["label"].classes) == list("0123456789")
    assert [one.parity["max_abs_difference"] < 1e-5 for one in made.manifests] == [True, True]
    assert generator.sample(3, label=4).shape == (3, 8, 8, 1) and small.sample(3, label=4).shape == (3, 4, 4, 1)
    assert small.sample(2, half=3).shape == (2, 4, 4, 1) and small.outputs["small"].range == (-1, 1)
    fed = generator.latents(3, seed=1)
    assert small.inputs["half"].prior == {"given": {"default": 0.5}}
    half = np.array([[0.5], [-1], [2]], "float32")
    halves = generator(**fed).reshape(3, 4, 2, 4, 2, 1)
    assert np.abs(small(**fed, half=half) - half[:, :, None, None] * halves[:, :, 1, :, 1]).max() < 1e-6


def test_frozen_networks_leave_with_the_statistics_that_they_have(tmp_path):
    text = STYLES.replace(
        "networks:\n",
        "networks:\n  head: {frozen: true, inputs: {w: mapping}, output: v, layers: "
        "[BatchNormalization, Dropout: {rate: 0.5}]}\n",
    ).replace("some: {slice: {of: w,", "v: head\n      some: {slice: {of: v,")
    spec = tiny.read(tmp_path, text)
    algorithm = loop.make(spec)
    norm = next(one for one in algorithm.players["head"].layers if one.name.startswith("batch"))
    norm.moving_mean.assign([1.0, 2.0, 3.0, 4.0, 5.0])
    z = np.random.RandomState(0).standard_normal((64, 6)).astype("float32")
    network = algorithm.as_exported("picture", [{"z": z, "psi": np.full((64, 1), 0.5, "float32")}])
    kept = [one for one in network.layers if one.name.startswith("batch")][1]
    np.testing.assert_array_equal(numbers(kept.moving_mean), [1.0, 2.0, 3.0, 4.0, 5.0])
    assert not any(type(one).__name__ == "Dropout" for one in network.layers)


WRONG = {
    "other: fake": "other: passes styles, which draws. Write a value without it for what leaves",
    "other: smple": "other: there is no value 'smple'. Did you mean 'sample'?",
    "other: d_loss": "other: passes styles, which draws",
    "other: psi": "other: psi is no tensor that is made of the inputs, an example in each row",
    "other: w.rlu": "other: mapping has no 'rlu'",
    "other: on_real": "other: takes image: a user can feed latents, labels and `input` values, or one image from which",
}


@pytest.mark.parametrize("stated", WRONG)
def test_what_cannot_leave_is_refused_at_its_place(tmp_path, stated):
    with pytest.raises(SpecError) as error:
        tiny.read(tmp_path, STYLES.replace("{picture: sample}", f"{{picture: sample, {stated}}}"))
    line = STYLES[: STYLES.index("export:")].count("\n") + 1
    assert re.match(rf"\S+tested\.yaml:{line}:\d+: export\.values\.", str(error.value)), error.value
    assert WRONG[stated] in str(error.value)


def test_algorithms_in_python_have_no_values(tmp_path):
    with pytest.raises(SpecError, match=r"export\.values: 'unrolled' is written in Python and has no values"):
        tiny.read(
            tmp_path, tiny.GAN.replace("alternating:", "unrolled:").replace("export: {", "export: {values: {g: fake}, ")
        )


def test_a_dry_run_names_what_leaves(zoo_says, tmp_path):
    path = tiny.read(tmp_path, STYLES).path
    code, out, _ = zoo_says("build", path, "--dry-run")
    assert code == 0 and "\npicture leaves: z, psi -> image, sample through mapping, synthesis, averaged\n" in out
    assert "\npicture: can be exported: ONNX of opset 13, as Keras to " in out
