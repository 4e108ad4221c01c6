"""The sections of a spec as frozen dataclasses. Their annotations are the schema of the language.

tools/schema.py turns annotations and docstrings into specs/schema.json, which editors show as help. The constants at
the end list the keys that do not count for the hash of a spec, and `differences` those that make another run of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from zoo.spec.types import (
    AlgorithmPart,
    Duration,
    Identifier,
    Limits,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Prior,
    Reference,
    Seed,
    Source,
)


@dataclass(frozen=True, kw_only=True)
class Paper:
    """The paper that the model comes from."""

    title: str
    authors: str
    year: Annotated[int, Limits(minimum=1900, maximum=2100)]
    arxiv: (
        Annotated[str, Limits(pattern=r"[0-9]{4}\.[0-9]{4,5}", description="an arXiv number in quotes, '1511.06434'")]
        | None
    ) = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Text:
    """Captions made of the labels of the source. Networks read the field `text`, ids of words: of an example's phrases
    in random order the first k, where every number from `fewest` to all is equally likely. `full_text` is the whole
    caption, `wrong_text` one with a word that is not true of the example. `longest` is in words; zeros fill up."""

    longest: PositiveInt
    fewest: PositiveInt = 1


@dataclass(frozen=True, kw_only=True)
class Data:
    """The training data. Pixels 0..255 are mapped to `range`; `size` and `channels` default to the source's own (4 are
    RGBA: of a folder, what is transparent in its pictures stays so), `fit` to a black border (pad), or to crop for
    folders of photos. With `jitter_from` images are held at that larger size, and a random window of `size` is drawn
    from them at each step. `text` gives data with several labels captions. `limit` trains on so many examples alone."""

    source: Source
    size: PositiveInt | tuple[PositiveInt, PositiveInt] | None = None
    jitter_from: PositiveInt | tuple[PositiveInt, PositiveInt] | None = None
    channels: Literal[1, 3, 4] | None = None
    fit: Literal["pad", "resize", "crop"] | None = None
    range: tuple[float, float] = (-1.0, 1.0)
    flip: bool = False
    text: Text | None = None
    limit: PositiveInt | None = None


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The weights that a network begins with: those of a network of another `run`, by the name of its spec, or of an
    `artifact` that keeps them (`export: {trainable: float16}`); the averaged ones, where there are some. They are
    matched in their order, by name (kernel, gamma) and shape; what does not match is listed. Or a `package`, which has
    layers and weights: the network then states neither inputs nor layers."""

    run: Identifier | None = None
    artifact: Identifier | None = None
    network: Identifier | None = None
    package: Literal["vgg16"] | None = None


@dataclass(frozen=True, kw_only=True)
class Network:
    """One network: its inputs, its layers, and its output. An input is a latent, a field of the data, or states a
    shape, or the latent, the field or the network whose shape it has. `output: image` is the last tensor; several are
    named by `as` in the layers, [logits, classes], or by a mapping {logits: h7, classes: x}. `weights` begins with
    those of another run or artifact, or with `weights: {package: vgg16}` is a network that comes with its layers; one
    that is `frozen` is trained by no phase, and runs in inference mode."""

    inputs: Identifier | tuple[Identifier, ...] | Mapping[Identifier, tuple[PositiveInt, ...] | Reference] = ()
    output: Identifier | tuple[Identifier, ...] | Mapping[Identifier, Identifier] = ""
    layers: tuple[Any, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    weights: Weights | None = None
    frozen: bool = False


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """A quick metric, measured `every` so many steps, for data with a judge (a classifier of its images): the Frechet
    distance of the judge's features between `samples` images of fixed latents and real training images. The best
    weights are kept, see `zoo build --export`."""

    every: PositiveInt = 500
    samples: Annotated[int, Limits(minimum=65, maximum=100_000)] = 2000  # more than the judge has features


@dataclass(frozen=True, kw_only=True)
class Training:
    """The length, batch size and random seed of training. A step is one pass through the algorithm's phases.
    The average of G's weights forgets half in `ema_half_life_images` real images, or a tenth of a shorter run.

    `precision` is that of the arithmetic; weights, averages, optimizers and losses stay float32. `tf32` rounds factors
    to 11 bits on cards that can, `mixed_bfloat16` computes with 8 bits, `mixed_float16` with 11 bits of a small range:
    losses are scaled while they are differentiated. `deterministic` sums in a fixed order on GPUs too, where the same
    run otherwise ends in other bits; it costs speed. `devices` GPUs of the machine share each batch."""

    batch_size: PositiveInt
    steps: PositiveInt
    budget: Duration | None = None
    seed: Seed = 0
    ema_half_life_images: PositiveFloat | None = None
    picture_every_steps: PositiveInt = 500
    checkpoint_every_seconds: PositiveFloat = 60.0
    evaluate: Evaluate | None = Evaluate()  # an error where it is stated for data without a judge
    xla: bool = False
    precision: Literal["float32", "tf32", "mixed_bfloat16", "mixed_float16"] = "float32"
    deterministic: bool = False
    devices: PositiveInt | Literal["all"] = 1


@dataclass(frozen=True, kw_only=True)
class Export:
    """The networks that are exported as ONNX (if left out, all trained ones that make data from what a user can feed),
    or, by the name of the file, `values` of the game, each with all that it passes through, a list of them as one
    graph of several outputs;
    and their batch norm statistics: averaged over `batch_norm_batches` batches of latents with the exported weights,
    or, for 0, the moving averages of training. `opset` is the version of the operators: the lowest from 13 that the
    graph needs, or a number. Networks from image to image take images of any size where their layers can; `sizes: any`
    insists on that, `sizes: trained` exports that of the training alone. `trainable` also keeps the weights of all
    trained networks, in this precision, for others to begin with: `weights: {artifact: NAME}`."""

    networks: tuple[Identifier, ...] | None = None
    values: Mapping[Identifier, str | tuple[str, ...]] = field(default_factory=dict)
    opset: Annotated[int, Limits(minimum=13, maximum=18)] | Literal["lowest"] = "lowest"
    batch_norm_batches: NonNegativeInt = 100
    sizes: Literal["any", "trained"] | None = None
    trainable: Literal["float16", "float32"] | None = None
    licence: str = "unknown"


@dataclass(frozen=True, kw_only=True)
class Sections:
    """The top level of a spec file."""

    name: Identifier
    title: str
    spec_version: Literal[1] = 1
    extends: str | None = None
    remove: tuple[str, ...] = ()  # of what the other spec has: data.flip, networks.generator.layers.3
    paper: Paper | None = None
    about: str = ""
    deviations: tuple[str, ...] = ()
    data: Data | None = None
    latent: Mapping[Identifier, Prior] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    blocks: Mapping[Identifier, Any] = field(default_factory=dict)
    networks: Mapping[Identifier, Network]
    algorithm: AlgorithmPart | None = None
    training: Training | None = None
    export: Export | None = None


# names that a latent cannot have, and what they are; specs/_template.yaml lists them
RESERVED = {
    **dict.fromkeys(("image", "point", "label", "a", "b"), "a field of data"),
    "x": "the running tensor of a network",
    **dict.fromkeys(("share", "step_number", "alpha", "pool_a", "pool_b", "fake_a", "fake_b"), "part of a step"),
    **dict.fromkeys(("self", "n", "seed", "batch_size"), "an argument of a loaded generator"),
}

LOWEST = "lowest"  # the opset of `export` that the graph decides
PROSE = ("title", "about", "paper", "deviations")  # sections of words alone
OUTSIDE_HASH = {
    "training": ("evaluate",),
    "export": ("licence", "trainable"),
}  # keys that change no weight and no network

# how long a run is, what is shown of it, and how it is exported
FREE_KNOBS = ("steps", "budget", "picture_every_steps", "checkpoint_every_seconds", "evaluate", "xla", "devices")
FREE_SECTIONS = (*PROSE, "training", "export", "spec_version")

# a knob that is left out and one that states its default are the same run
TRAINING_DEFAULTS = {f.name: f.default for f in dataclasses.fields(Training) if f.default is not dataclasses.MISSING}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """List what makes two spec documents different runs: what changes weights, not the length of a run or its words.

    Args:
        old: The document of a run, see `Spec.document`.
        new: The document to compare with it.

    Returns:
        Names of sections such as `networks`, then of training keys such as `training.seed`; empty for the same run.
    """
    sections = [
        key for key in sorted(old.keys() | new.keys()) if key not in FREE_SECTIONS and old.get(key) != new.get(key)
    ]
    a, b = ({**TRAINING_DEFAULTS, **(document.get("training") or {})} for document in (old, new))
    knobs = [f"training.{k}" for k in sorted(a.keys() | b.keys()) if k not in FREE_KNOBS and a.get(k) != b.get(k)]
    return sections + knobs
