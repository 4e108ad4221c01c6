"""One input or output of an exported network, and the checks of what is read from JSON. Standard library only."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import repeat
from typing import Any

from zoo.core.errors import ServeError
from zoo.core.registry import suggest

DTYPES = ("float32", "int32", "int64")
LAYOUTS = ("NHWC", "NC")
CHANNELS: Mapping[int | str, str] = {1: "grey", 3: "RGB", 4: "RGBA"}  # number -> their order
AXES = ("height", "width")  # of images, that may be dynamic, in this order
CELLS = ("rows", "columns")  # of a map of latents, likewise
OPTIONAL_KEYS = ("sizes", "channels", "text", "grid")  # of a tensor in JSON; left out where they are null
GRID_KEYS = ("scale", "offset", "margin")
TEXT_KEYS = ("rule", "rule_in_words", "vocabulary", "sha256", "words", "examples", "example_ids")


@dataclass(frozen=True)
class Tensor:
    """One input or output: `Tensor("z", "float32", ("batch", 100), prior={"normal": {}})`.

    Attributes:
        name: Its name in the ONNX file.
        dtype: "float32", or "int32" or "int64" for ids of classes or words.
        shape: "batch", then sizes; images of any size have ("batch", "height", "width", 3), and a map of latents that
            may be larger has ("batch", "rows", "columns", 64).
        prior: For a latent the distribution to draw from: {name: arguments}.
        classes: For class ids the names of the classes, in their order.
        range: For pixels the values of black and white, (low, high).
        layout: "NHWC" for images, "NC" for vectors, None for anything else.
        channels: For images the order of the channels: "RGB", "RGBA", or "grey" for a single one; None where it is not
            stated.
        text: For ids of words how a text becomes them: the `rule` by its name and `rule_in_words`, the `vocabulary`, a
            file beside the .onnx whose line k is the word of id k, its `sha256` and number of `words`; and `examples`,
            captions, of which one is drawn where none is given, with the ids of their words, `example_ids`. The shape
            has the longest caption.
        sizes: For an input of images of any size: "height" and "width" -> what a size must be a `multiple` of, the
            `minimum`, and the size that was `trained`. The output has the size of the input. For a map of latents the
            same of "rows" and "columns".
        grid: For an image that is made of a map of latents: of its height and its width the pixels of a cell (`scale`)
            and what comes to them (`offset`): height = scale * rows + offset. The `margin` is how many pixels from the
            edge may show where the map ends; those inside are the same in every larger map. It is null where all do.

    Raises:
        ServeError: A value has the wrong type, or the values contradict each other.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    prior: Mapping[str, Any] | None = None
    classes: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    layout: str | None = None
    sizes: Mapping[str, Mapping[str, int]] | None = None
    channels: str | None = None
    text: Mapping[str, Any] | None = None
    grid: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for key in ("shape", "classes", "range"):  # JSON has lists only
            if isinstance(getattr(self, key), list):
                object.__setattr__(self, key, tuple(getattr(self, key)))
        if isinstance(self.sizes, Mapping) and {*self.sizes} == {*CELLS}:  # JSON with sorted keys has columns first
            object.__setattr__(self, "sizes", {axis: self.sizes[axis] for axis in CELLS})
        need(isinstance(self.name, str) and bool(self.name), "tensor name", "a non-empty string", self.name)
        where = f"tensor '{self.name}'"
        need(self.dtype in DTYPES, f"{where} dtype", f"one of {', '.join(DTYPES)}", self.dtype)
        axes = self.shape[1:] if isinstance(self.shape, tuple) and self.shape[:1] == ("batch",) else (0,)
        image, cells = self.layout == "NHWC" and axes[:2] == AXES, self.prior is not None and axes[:2] == CELLS
        need(all(is_size(d) for d in axes[2 if image or cells else 0 :]), f"{where} shape",
              "'batch', then sizes above 0", self.shape)  # fmt: skip
        rules = (image or cells) and _are_sizes(self.sizes, CELLS if cells else AXES)
        need(rules or (self.sizes is None and not cells), f"{where} sizes",
              "null, or multiple, minimum and trained size of height and width", self.sizes)  # fmt: skip
        need(self.grid is None or (image and _is_grid(self.grid)), f"{where} grid",
              "null, or scale, offset and margin of an image's height and width", self.grid)  # fmt: skip
        prior = self.prior
        part = isinstance(prior, Mapping) and len(prior) == 1 and all(isinstance(a, Mapping) for a in prior.values())
        need(prior is None or part, f"{where} prior", 'null or {"name": {arguments}}', prior)
        names = isinstance(self.classes, tuple) and all(isinstance(c, str) for c in self.classes)
        need(names and len(set(self.classes)) == len(self.classes), f"{where} classes", "distinct names", self.classes)
        need(self.text is None or (_is_text(self.text) and len(self.shape) == 2), f"{where} text",
              "null, or rule, vocabulary and examples of an input [batch, longest]", self.text)  # fmt: skip
        need((bool(self.classes) + bool(self.text)) == (self.dtype != "float32"), f"{where} dtype",
              "float32, or an integer type for an input with classes or words", self.dtype)  # fmt: skip
        need(not ((self.classes or self.text) and prior), f"{where} prior", "null for an input with classes", prior)
        need(self.range is None or _is_range(self.range), f"{where} range", "null or [low, high]", self.range)
        rank = {"NHWC": 4, "NC": 2, None: len(self.shape)}
        need(self.layout is None or self.layout in LAYOUTS, f"{where} layout", "null, NHWC or NC", self.layout)
        need(rank[self.layout] == len(self.shape), f"{where} shape", f"one that fits {self.layout}", self.shape)
        fits = self.channels is None or (self.layout == "NHWC" and self.channels == CHANNELS.get(self.shape[3]))
        need(fits, f"{where} channels", "null, or grey, RGB or RGBA for one, three or four channels", self.channels)

    def __str__(self) -> str:
        """Return one line: `image float32 [batch, 32, 32, 3] in [-1, 1]`."""
        limits = f" in [{self.range[0]:g}, {self.range[1]:g}]" if self.range else ""
        limits += f" in 0..{self.ids - 1}" if self.ids else ""
        return f"{self.name} {self.dtype} [{', '.join(map(str, self.shape))}]{limits}{self.rule()}"

    def rule(self) -> str:
        """Return `, height and width multiples of 4 from 8`, or an empty string where the size is fixed."""
        if self.sizes is None:
            return ""
        height, width = (
            f"from {size['minimum']} up"
            if size["multiple"] == 1
            else f"multiples of {size['multiple']} from {size['minimum']}"
            for size in self.sizes.values()
        )
        tall, wide = self.sizes
        return f", {tall} and {wide} {height}" if height == width else f", {tall} {height}, {wide} {width}"

    def spread(self, axes: Mapping[str, int]) -> dict[str, int]:
        """Return named axes with the height and the width that an image has which is made of a map of latents.

        Args:
            axes: The sizes of the named axes of the inputs, such as "rows" and "columns".

        Returns:
            The same; with a `grid` also "height" and "width", in pixels.
        """
        if self.grid is None:
            return dict(axes)
        rules = zip(AXES, CELLS, self.grid["scale"], self.grid["offset"], strict=True)
        return {**axes, **{side: scale * axes[cells] + offset for side, cells, scale, offset in rules}}

    @classmethod
    def from_json(cls, entry: Any, what: str) -> Tensor:
        """Read an entry of `inputs` or `outputs`. Raises ServeError that opens with `what`."""
        need(isinstance(entry, dict), what, "an object", entry)
        check_keys(entry, [field.name for field in fields(cls)], what, optional=OPTIONAL_KEYS)
        return cls(**entry)

    @property
    def given(self) -> Mapping[str, float] | None:
        """The `default`, and the bounds `low` and `high`, of a number that a user may give; None where it is drawn."""
        return (self.prior or {}).get("given")

    @property
    def ids(self) -> int:
        """How many ids there are: classes, or words and the filling; 0 for an input of numbers."""
        return self.text["words"] + 1 if self.text else len(self.classes)

    @property
    def is_image(self) -> bool:
        """True for images whose pixels are numbers in `range`."""
        return self.layout == "NHWC" and self.range is not None


def check_together(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
    """Raise ServeError unless these can be the inputs and the outputs of one network."""
    names = [tensor.name for tensor in (*inputs, *outputs)]
    need(len(set(names)) == len(names), "tensor names", "all different", names)
    sizes = [tensor.sizes for tensor in inputs if AXES[0] in tensor.shape]
    stated = None not in sizes and all(one == sizes[0] for one in sizes)
    need(stated, "inputs", "images of one rule for their sizes", sizes)
    maps = [tensor.name for tensor in inputs if CELLS[0] in tensor.shape]
    need(len(maps) < 2 and not (maps and sizes), "inputs", "one map of latents, or images", maps)
    for output in outputs:
        need(bool(maps) == (output.grid is not None), "outputs", "with a grid just where a map of latents is drawn",
             output.grid)  # fmt: skip
        fixed = AXES[0] not in output.shape
        need(bool(sizes or maps) or fixed, "outputs", "of fixed sizes, as the inputs are", output.shape)


def need(holds: bool, what: str, expected: str, received: object) -> None:
    """Raise ServeError, "`what` must be `expected`, received `received`", unless it `holds`."""
    if not holds:
        raise ServeError(f"{what} must be {expected}, received {received!r}")


def check_keys(
    received: Mapping[str, Any], expected: Sequence[str], what: str, *, optional: Sequence[str] = ()
) -> None:
    """Raise ServeError for a key that is unknown, or that is missing and not `optional`."""
    for key in received:
        if key not in expected:
            raise ServeError(f"{what} has an unknown key '{key}'.{suggest(key, expected)}")
    for key in expected:
        if key not in received and key not in optional:
            raise ServeError(f"{what} lacks the key '{key}'")


def check_variants(variants: Mapping[str, Any]) -> None:
    """Raise ServeError unless these are precisions with files, as `Manifest.variants` has them."""
    for one in variants.values():
        good = isinstance(one, dict) and one.keys() == {"file", "bytes", "parity"} and is_plain(one["file"])
        good = good and is_size(one["bytes"]) and isinstance(one["parity"], dict)
        need(good, "variants", 'precisions with {"file": name, "bytes": size, "parity": {...}}', variants)


def json_text(value: object, **style: Any) -> str:
    """Return a value as JSON in the given style. Raises ServeError for what JSON does not have, such as NaN."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, **style)
    except (TypeError, ValueError) as error:
        raise ServeError(f"manifest: JSON cannot hold it: {error}") from error


def is_plain(name: object) -> bool:
    """Return True for a name without a slash."""
    return isinstance(name, str) and not {"/", "\\"} & {*name}


def is_size(value: object) -> bool:
    """Return True for an integer above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _are_sizes(value: object, axes: tuple[str, str]) -> bool:
    """True for `{"height": {"multiple": 4, "minimum": 8, "trained": 64}, "width": ...}` with sizes that are allowed."""
    if not (isinstance(value, Mapping) and tuple(value) == axes):
        return False
    return all(
        isinstance(one, Mapping)
        and set(one) == {"multiple", "minimum", "trained"}
        and all(map(is_size, one.values()))
        and one["minimum"] % one["multiple"] == one["trained"] % one["multiple"] == 0
        for one in value.values()
    )


def _is_grid(value: object) -> bool:
    """True for `{"scale": [16, 16], "offset": [0, 0], "margin": [24, 24]}`; the margin may be null."""
    if not (isinstance(value, Mapping) and set(value) == set(GRID_KEYS)):
        return False
    scale, offset, margin = (value[key] for key in GRID_KEYS)
    pairs = all(isinstance(one, list | tuple) and len(one) == 2 for one in (scale, offset, margin or offset))
    whole = pairs and all(type(number) is int for one in (scale, offset, margin or offset) for number in one)
    return whole and all(map(is_size, scale)) and (margin is None or min(margin) >= 0)


def _is_text(value: object) -> bool:
    """True for a rule, a vocabulary file and captions, as `Tensor.text` has them."""
    if not (isinstance(value, Mapping) and value.keys() == set(TEXT_KEYS) and is_size(value["words"])):
        return False
    plain = all(isinstance(value[key], str) and value[key] for key in TEXT_KEYS[:4]) and is_plain(value["vocabulary"])
    examples, ids = value["examples"], value["example_ids"]
    lists = isinstance(examples, list | tuple) and isinstance(ids, list | tuple) and 0 < len(examples) == len(ids)
    return plain and lists and all(isinstance(e, str) for e in examples) and all(map(_are_words, ids, repeat(value)))


def _are_words(ids: object, text: Mapping[str, Any]) -> bool:
    return isinstance(ids, list | tuple) and all(is_size(number) and number <= text["words"] for number in ids)


def _is_range(value: object) -> bool:
    if not (isinstance(value, tuple) and len(value) == 2):
        return False
    return all(type(v) in (int, float) and math.isfinite(v) for v in value) and value[0] < value[1]
