"""The catalogue: facts of every data set (shape, classes, licence, hash) without its data. Standard library only.

`datasets.json` holds the facts; this file reads it, completes them for sources with arguments, and computes the shape
that a network will meet. Nothing else touches a disk or a network, so that a check of a spec is quick.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from zoo.core.errors import DataError

Split = Literal["train", "test"]
MAX_MODES = 10_000  # Gaussians of a mixture
TEXT, FULL_TEXT, WRONG_TEXT = "text", "full_text", "wrong_text"  # fields of captions, see `zoo.data.captions`
SUBJECT = ""  # among the phrases of a caption, the one of no label


@dataclass(frozen=True)
class Field:
    """One field of a batch, as a spec and its networks know it by name.

    Attributes:
        shape: Shape of one example: (H, W, C), (2,) for points, () for class ids, (words of the longest,) for captions.
        kind: What it holds.
        classes: Of a label the names of the classes, in the order of their ids; else empty.
        group: Fields of one group belong together, example by example; those of another are drawn apart.
    """

    shape: tuple[int, ...]
    kind: Literal["image", "point", "label", "text"]
    classes: tuple[str, ...] = ()
    group: int = 0


@dataclass(frozen=True)
class DatasetInfo:
    """Facts of one data set.

    Attributes:
        name: The source's name in a spec.
        title: The name for people.
        shape: Shape of a native item: (H, W, C) of images, (2,) of points, None if the user's files decide.
        classes: Names of the classes, in the order of the labels; empty without labels.
        splits: Items of each split; of two sets of images, those of the smaller one. Empty if the user's files decide.
        licence: The licence in words.
        homepage: An address, or an empty string.
        citation: Authors and publication, or an empty string.
        range: "uint8" for pixels 0..255, "points" for float32 in units of their own.
        sha256: Hash of the decoded uint8 arrays, one after the other: train images [N, H, W, C], train labels, test
            images, test labels. It does not depend on the container that the data came in. None for data that is
            computed, or made of other data sets.
        files_sha256: Hash of the distribution's files, see `formats.collect`, of data that are drawn from them: pixels
            may differ in the last bit between versions of the libraries that draw.
        domains: Fields of a source of two sets of images, for translation.
        paired: True if item i of both domains shows the same thing in the test split.
        together: True if it does so in every split: a batch then holds pairs; else each domain has its own order.
        titles: Of a source of two domains that have no names in its arguments, what each is, for people.
        labels: Of a source with several labels, the names of the classes of each by the name of its field.
        captions: Of a source whose captions are made of its labels, the phrase of each label, in which {} stands for
            the name of the class, in their order; an empty name has the subject.
        choices: Allowed values of the arguments `a` and `b` of a source of two domains: names of data sets or of
            classes; empty if they are folders.
    """

    name: str
    title: str
    shape: tuple[int, ...] | None
    classes: tuple[str, ...]
    splits: Mapping[str, int]
    licence: str
    homepage: str
    citation: str
    range: Literal["uint8", "points"] = "uint8"
    sha256: str | None = None
    files_sha256: str | None = None
    domains: tuple[str, ...] = ()
    paired: bool = False
    together: bool = False
    choices: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)

    @property
    def label_fields(self) -> Mapping[str, tuple[str, ...]]:
        """The names of the classes by the name of the label: `label` for a source with a single one."""
        return self.labels or ({"label": self.classes} if self.classes else {})


def _read() -> dict[str, DatasetInfo]:
    entries = json.loads(Path(__file__).with_name("datasets.json").read_text("utf-8"))
    result = {}
    for name, entry in entries.items():
        facts: dict[str, Any] = {key: tuple(fact) if isinstance(fact, list) else fact for key, fact in entry.items()}
        facts["labels"] = {key: tuple(names) for key, names in entry.get("labels", {}).items()}
        result[name] = DatasetInfo(name=name, **facts)
    return result


DATASETS = _read()


def mode_names(count: int) -> tuple[str, ...]:
    """Return the classes of a mixture of `count` Gaussians: "mode 0", "mode 1" ..."""
    return tuple(f"mode {index}" for index in range(count))


def describe(source: str, args: Mapping[str, Any]) -> DatasetInfo:
    """Return the facts of a source as its arguments make it.

    Args:
        source: A name in `DATASETS`.
        args: Its arguments in the spec: `modes`, `side` and `samples` change the classes and sizes of a mixture, `a`
            and `b` name the two domains, whose titles and licences are joined; a list of `classes` names those of a
            folder.

    Returns:
        The facts.

    Raises:
        DataError: `a` or `b` is unknown, or both are the same; more than `MAX_MODES` Gaussians, or none.
    """
    info = DATASETS[source]
    if isinstance(names := args.get("classes"), list | tuple):
        info = replace(info, classes=tuple(names))
    if info.choices or (info.domains and {"a", "b"} <= args.keys()):
        return _describe_two(info, args["a"], args["b"])
    if info.range != "points":
        return info
    if "samples" in args:
        info = replace(info, splits=dict.fromkeys(info.splits, args["samples"]))
    if not {"modes", "side"} & args.keys():
        return info
    modes = args["side"] ** 2 if "side" in args else args["modes"]
    if not isinstance(modes, int) or not 1 <= modes <= MAX_MODES:
        raise DataError(f"data source '{source}': expected 1 to {MAX_MODES:,} Gaussians, received {modes}")
    return replace(info, classes=mode_names(modes))


def _describe_two(info: DatasetInfo, a: str, b: str) -> DatasetInfo:
    known = info.choices or (a, b)
    if wrong := {a, b} - set(known):
        raise DataError(f"data source '{info.name}': unknown {min(wrong)!r}. Known: {', '.join(known)}")
    if a == b:
        raise DataError(f"data source '{info.name}': a and b are both {a!r}; there is nothing to translate")
    if not info.choices:
        return info
    if not set(known) <= set(DATASETS):
        return replace(info, title=f"{info.title}: {a} and {b}")
    both = [DATASETS[name] for name in (a, b)]
    return replace(
        info,
        title=" and ".join(part.title for part in both),
        licence=", ".join(f"{part.licence} ({part.title})" for part in both),
        homepage=", ".join(part.homepage for part in both),
        citation="; ".join(part.citation for part in both),
    )


def domain_titles(source: str, args: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of the two domains of a source.

    Args:
        source: A name in `DATASETS`.
        args: Its arguments in the spec.

    Returns:
        The titles under "a" and "b", for folders their names; empty for a source of a single set.
    """
    info = DATASETS[source]
    if not info.domains:
        return {}
    chosen = {name: str(args[name]) if name in args else info.titles.get(name, name) for name in info.domains}
    known = DATASETS if info.choices else {}
    return {name: known[one].title if one in known else Path(one).name or one for name, one in chosen.items()}


def fields(info: DatasetInfo, shape: tuple[int, ...], longest: int = 0) -> dict[str, Field]:
    """Return the fields of a batch by name, known before anything is read.

    Args:
        info: The facts of the source, see `describe`.
        shape: Shape of an item that the networks see, see `final_shape`.
        longest: Words of the longest caption; 0 for data without captions.

    Returns:
        `image` or `point`, or the domains of a source of two; then the labels, then the captions.
    """
    kind: Literal["image", "point"] = "image" if len(shape) == 3 else "point"
    names = info.domains or (kind,)
    found = {name: Field(shape, kind, group=0 if info.together else at) for at, name in enumerate(names)}
    found |= {name: Field((), "label", classes) for name, classes in info.label_fields.items()}
    return found | {name: Field((longest,), "text") for name in (TEXT, FULL_TEXT, WRONG_TEXT) if longest}


def window_shape(shape: tuple[int, ...], jitter_from: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """Return the height and width at which images are kept, for random windows of `shape` to be drawn from them.

    Args:
        shape: Shape of an item that the network sees: (H, W, C), or (2,) for points.
        jitter_from: A side, or (height, width), in pixels; None without jitter.

    Returns:
        (height, width) in pixels, or None without jitter.

    Raises:
        DataError: The items are points, or a side is below that of the window.
    """
    if jitter_from is None:
        return None
    if len(shape) != 3:
        raise DataError(f"jitter_from belongs to images; these items are points of shape {shape}")
    height, width, _ = final_shape(None, jitter_from, None)
    if height < shape[0] or width < shape[1]:
        raise DataError(f"jitter_from must be at least the size, {shape[0]} x {shape[1]}. Received: {jitter_from!r}")
    return height, width


def final_shape(
    native: tuple[int, ...] | None, size: int | tuple[int, int] | None, channels: int | None
) -> tuple[int, ...]:
    """Return the shape of one item after `prepare`.

    Args:
        native: Shape of a native item; None if the user's files decide.
        size: A side, or (height, width), in pixels; None keeps the native one.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA); None keeps the native one, and means 3 for the user's files.

    Returns:
        (H, W, C), or (2,) for points.

    Raises:
        DataError: The size is not positive, the channels are others, points have a size, or a folder has none.
    """
    if native is not None and len(native) != 3:
        if size is not None or channels is not None:
            raise DataError(f"size and channels belong to images; these items are points of shape {native}")
        return native
    if channels not in (None, 1, 3, 4):
        raise DataError(f"channels must be 1 (grey), 3 (RGB) or 4 (RGBA). Received: {channels!r}")
    if size is None:
        if native is None:
            raise DataError("a folder of images has no size of its own: state one, such as size: 64")
        size = (native[0], native[1])
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or min(sides) < 1:
        raise DataError(f"size must be a side, or a height and a width, of at least 1 pixel. Received: {size!r}")
    return (*sides, channels or (3 if native is None else native[2]))
