"""Random specs of small networks, composed from every layer of the language, and random changes of shipped ones."""

from __future__ import annotations

import copy
import math
import random
from typing import Any

from zoo.spec.shapes import RULES, ShapeError
from zoo.spec.validate import completed, names_of

ACTIVATIONS = ("elu", "gelu", "leaky_relu", "linear", "relu", "selu", "sigmoid", "silu", "softplus", "tanh", "softmax")
VALUES = (0, 1, 2, 3, 5, 7, -1, True, "same", "valid", "tanh", "gelu", [2, 1], [1, 3], [3, 3], None, 0.5, 1000)
Item = dict[str, Any]


class Composer:
    """Composes one network as a list of layers, following shapes so that most of what it makes fits together.

    Attributes:
        layers: The layers so far, as a spec has them.
        shape: The shape of the running tensor.
    """

    def __init__(self, chance: random.Random, shape: tuple[int, ...]) -> None:
        self.chance, self.layers, self.shape = chance, list[Any](), shape
        self.named: list[tuple[str, tuple[int, ...]]] = []

    def add(self, name: str, args: Item, *, others: list[tuple[str, tuple[int, ...]]] | None = None) -> bool:
        """Add a layer if its shape rule takes it. Returns whether it does."""
        shapes = [self.shape, *(shape for _, shape in others or [])]
        try:
            shape = RULES[name](shapes, completed(args, names_of("layer")[name])).shape
        except (ShapeError, ValueError, IndexError, KeyError):
            return False
        if not 0 < _size(shape) <= 2048:
            return False
        item: Item = {name: args}
        if others:
            item["from"] = ["x", *(other for other, _ in others)]
        if self.chance.random() < 0.3:
            item["as"] = f"h{len(self.layers)}"
            self.named.append((item["as"], shape))
        self.layers.append(item)
        self.shape = shape
        return True

    def pick(self, *values: Any) -> Any:
        """Return one of the values."""
        return self.chance.choice(values)

    def convolution(self) -> bool:
        """Add a convolution of some kind."""
        pick = self.pick
        name = pick("Conv2D", "Conv2D", "Conv2DTranspose", "Conv2DTranspose", "DepthwiseConv2D", "EqualizedConv2D",
                    "SpectralConv2D")  # fmt: skip
        args: Item = {"kernel_size": pick(1, 2, 3, 4, 5, [3, 2]), "padding": pick("same", "valid")}
        if name != "DepthwiseConv2D":
            args["filters"] = pick(2, 3, 4, 6)
        if name not in ("EqualizedConv2D", "SpectralConv2D") and pick(True, False, False):
            args["dilation_rate"] = pick(2, 3)
        else:
            args["strides"] = pick(1, 2, 3, [1, 2]) if name != "DepthwiseConv2D" else pick(1, 2)
        if name == "Conv2D":
            args["groups"] = pick(1, 1, 2, 3)
        if name == "Conv2DTranspose" and pick(True, False):
            args["output_padding"] = pick(0, 1)
        if name != "EqualizedConv2D" and pick(True, False):
            args["activation"] = pick(*ACTIVATIONS)
        if pick(True, False):
            args["use_bias"] = False
        return self.add(name, args)

    def other(self) -> bool:
        """Add any other layer that images or vectors go through."""
        pick, rank = self.pick, len(self.shape)
        names = ["Activation", "LeakyReLU", "ELU", "PReLU", "Dropout", "Rescaling", "PixelNorm", "BatchNormalization",
                 "LayerNormalization", "GaussianNoise", "Softmax", "UnitNormalization"]  # fmt: skip
        names += {3: ["GroupNormalization", "UpSampling2D", "ZeroPadding2D", "Cropping2D", "ReflectionPadding2D",
                      "AveragePooling2D", "MaxPooling2D", "SpatialDropout2D", "Permute", "Dense"],
                  1: ["Maxout", "Dense", "EqualizedDense", "SpectralDense", "RepeatVector"],
                  2: ["LSTM", "Permute", "Dense"]}.get(rank, [])  # fmt: skip
        name = pick(*names)
        dims = list(range(1, rank + 1))
        self.chance.shuffle(dims)
        args: Item = {
            "Activation": {"activation": pick(*ACTIVATIONS)}, "PReLU": {"shared_axes": dims[: rank - 1]},
            "Dropout": {"rate": 0.2}, "SpatialDropout2D": {"rate": 0.2}, "GaussianNoise": {"stddev": 0.1},
            "Rescaling": {"scale": pick(0.5, 2.0), "offset": pick(0.0, 0.1)},
            "GroupNormalization": {"groups": pick(-1, 1, 2, 3), "center": pick(True, False)},
            "BatchNormalization": {"axis": pick(-1, -1, 1), "scale": pick(True, False)},
            "LayerNormalization": {"axis": pick(-1, 1)}, "Softmax": {"axis": pick(-1, 1)},
            "UpSampling2D": {"size": pick(2, 3, [1, 2]), "interpolation": pick("nearest", "nearest", "bilinear")},
            "ZeroPadding2D": {"padding": pick(1, [[1, 0], [0, 2]])},
            "Cropping2D": {"cropping": pick(1, [[1, 0], [0, 1]])},
            "ReflectionPadding2D": {"padding": pick(1, 2)},
            "AveragePooling2D": {"pool_size": pick(2, 3), "strides": pick(1, 2), "padding": pick("same", "valid")},
            "MaxPooling2D": {"pool_size": pick(2, 3), "padding": pick("same", "valid")},
            "Permute": {"dims": dims}, "Maxout": {"units": 6, "pieces": 2}, "RepeatVector": {"n": 3},
            "LSTM": {"units": 5, "return_sequences": pick(True, False)},
            "Dense": {"units": pick(4, 8, 16), "activation": pick(*ACTIVATIONS)},
            "EqualizedDense": {"units": 8}, "SpectralDense": {"units": 8, "activation": pick("relu", "gelu")},
        }.get(name, {})  # fmt: skip
        return self.add(name, args)

    def merge(self) -> bool:
        """Add a layer of several inputs, from tensors that fit."""
        name = self.pick("Add", "Multiply", "Average", "Maximum", "Minimum", "Subtract", "Concatenate")
        fitting = [one for one in self.named if len(one[1]) == len(self.shape)]
        if not fitting:
            return False
        others = self.chance.sample(fitting, 1 if name == "Subtract" else min(len(fitting), self.pick(1, 1, 2)))
        return self.add(name, {}, others=others)

    def flatten(self) -> None:
        """Make a vector of the running tensor."""
        if len(self.shape) > 1:
            self.add("Flatten", {})

    def join(self, layers: list[Any], width: int) -> None:
        """Put the vector that `layers` make, of `width` numbers, behind the running tensor."""
        self.flatten()
        here, there = f"here{len(self.layers)}", f"there{len(self.layers)}"
        self.layers += [{"as": here}, *layers, {"as": there}, {"Concatenate": {}, "from": [here, there]}]
        self.shape = (*self.shape[:-1], self.shape[-1] + width)

    def compose(self, count: int) -> None:
        """Add up to `count` layers."""
        for _ in range(count):
            kinds = [self.other, self.merge] + ([self.convolution] * 2 if len(self.shape) == 3 else [])
            self.chance.choice(kinds)()


def _size(shape: tuple[int, ...]) -> int:
    return math.prod(shape)


def _generator(chance: random.Random, latents: dict[str, tuple[int, ...]], *, labelled: bool) -> Item:
    """Return a generator of 8 x 8 digits with the inputs that it takes."""
    composer = Composer(chance, latents["z"])
    composer.layers.append({"from": "z"})
    for name in [*latents][1:]:
        composer.join([{"from": name}, "Flatten"], _size(latents[name]))
    if labelled:
        embedding = {"Embedding": {"input_dim": 10, "output_dim": 5}}
        ids, width = chance.choice([({"OneHot": {"classes": 10}}, 10), (embedding, 5)])
        dense = chance.choice([[], [{"Dense": {"units": 5, "activation": "relu"}}]])
        composer.join([{"from": "label"}, ids, *dense], 5 if dense else width)
    composer.compose(chance.randint(0, 2))
    if len(composer.shape) != 3 or chance.random() < 0.3:
        side = chance.choice([2, 4])
        composer.flatten()
        composer.add("Dense", {"units": side * side * 4})
        composer.add("Reshape", {"target_shape": [side, side, 4]})
    composer.compose(chance.randint(2, 9))
    if len(composer.shape) == 3 and max(composer.shape[:2]) <= 24 and chance.random() < 0.5:
        factors = [-(-8 // side) for side in composer.shape[:2]]
        excess = [side * factor - 8 for side, factor in zip(composer.shape[:2], factors, strict=True)]
        composer.layers += [
            {"UpSampling2D": {"size": factors}},
            {"Cropping2D": {"cropping": [[0, cut] for cut in excess]}},
            {"Conv2D": {"filters": 1, "kernel_size": 3, "padding": "same", "activation": "tanh"}},
        ]
    else:
        composer.flatten()
        composer.layers += [{"Dense": {"units": 64, "activation": "tanh"}}, {"Reshape": {"target_shape": [8, 8, 1]}}]
    return {"inputs": [*latents, *(["label"] if labelled else [])], "output": "image", "layers": composer.layers}


def _changed(layers: list[Any], chance: random.Random) -> None:
    """Change one argument of a layer, or take out, double or move one: most of what comes out does not fit."""
    at = chance.randrange(len(layers))
    item = layers[at]
    args = next((value for value in item.values() if isinstance(value, dict)), None) if isinstance(item, dict) else None
    action = chance.choice(["value", "value", "value", "delete", "double", "move"])
    if action == "value" and args:
        args[chance.choice([*args])] = copy.deepcopy(chance.choice(VALUES))
    elif action == "delete":
        del layers[at]
    elif action == "double":
        layers.insert(at, copy.deepcopy(item))
    else:
        layers.insert(chance.randrange(len(layers)), layers.pop(at))


def composed(chance: random.Random) -> Item:
    """Return a random spec: two players on 8 x 8 digits, the generator of one to three inputs.

    Args:
        chance: The source of random numbers; the same state gives the same spec.

    Returns:
        A document that `zoo check` accepts or refuses.
    """
    shapes = [(3,), (7,), (4, 3), (2, 2, 3), (4, 4, 2), (5, 3, 1), (2, 2, 2, 2)]
    latents = {name: chance.choice(shapes) for name in chance.choice([("z",), ("z",), ("z", "style")])}
    networks = {"generator": _generator(chance, latents, labelled=chance.random() < 0.25)}
    judge = Composer(chance, (8, 8, 1))
    judge.compose(chance.randint(1, 3))
    judge.flatten()
    judge.layers.append({"Dense": {"units": 1}})
    networks["discriminator"] = {"inputs": "image", "output": "logits", "layers": judge.layers}
    if chance.random() < 0.4:
        _changed(chance.choice([*networks.values()])["layers"], chance)
    player = {"optimizer": {"Adam": {"learning_rate": 1e-3}}}
    return {
        "name": "composed",
        "title": "Composed",
        "data": {"source": "digits"},
        "latent": {
            name: {chance.choice(["normal", "uniform"]): {"shape": [*shape]}} for name, shape in latents.items()
        },
        "networks": networks,
        "algorithm": {"alternating": {"loss": "non_saturating", "generator": player, "discriminator": player}},
        "training": {"batch_size": 4, "steps": 1, "ema_half_life_images": chance.choice([None, 20])},
        "export": {"batch_norm_batches": 1, "opset": chance.choice(["lowest", "lowest", 13, 15, 18])},
    }
