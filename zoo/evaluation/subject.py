"""What is measured: an artifact, what its networks make, and the real data that they are held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from zoo import examples, manifest, spec
from zoo.data import CARDS, Dataset
from zoo.data.prepare import middle
from zoo.errors import UsageError
from zoo.evaluation.progress import progress
from zoo.features.network import FeatureNetwork, inception, judge
from zoo.judge import CLASSES, FEATURES, SOURCE
from zoo.manifest import Manifest
from zoo.runtime import Generator

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Views:
    """Features float32 [N, D] of `real` (test) and `fake` images, and the network that saw them."""

    network: FeatureNetwork
    real: Array
    fake: Array


@dataclass
class Subject:
    """An artifact under measurement: `n` samples of `seed`, made and seen when a measure asks for them."""

    folder: Path
    n: int
    seed: int
    threads: int | None = None

    @cached_property
    def networks(self) -> tuple[Manifest, ...]:
        """The manifests of its networks."""
        return manifest.read_all(self.folder)

    @property
    def facts(self) -> Manifest:
        return self.networks[0]

    def generator(self, network: str = "") -> Generator:
        """One of its networks, ready to run."""
        return zoo.load(self.folder, network=network or None, threads=self.threads)

    @cached_property
    def kind(self) -> str:
        """ "images", "points" or "translations"."""
        if any(tensor.is_image for tensor in self.facts.inputs):
            return "translations"
        return "images" if self.facts.outputs[0].is_image else "points"

    @cached_property
    def source(self) -> str:
        """The name of its data set."""
        return str(self.facts.data["name"])

    @property
    def labelled(self) -> bool:
        """Whether it takes class ids."""
        return any(tensor.classes for tensor in self.facts.inputs)

    @property
    def judged(self) -> bool:
        """Whether there is a judge for its data."""
        return self.kind == "images" and self.source == SOURCE

    def real(self, split: Any = "test") -> Any:
        """The real data as its spec prepares them. Raises UsageError where there is none to hold it against."""
        stated = spec.read(self.folder / "spec.yaml")
        section = stated.sections.data
        if section is None or section.source.name in ("folder", "folders"):
            raise UsageError(f"{self.folder}: its data are folders of the trainer's own; there is no test split")
        return examples.load(stated, split=split)

    @cached_property
    def test(self) -> Dataset:
        """The real test images, or points."""
        found = self.real()
        assert isinstance(found, Dataset)
        return found

    @cached_property
    def fakes(self) -> Array:
        """`n` samples, as users of the file get them."""
        return self.generator().sample(self.n, self.seed)

    def translations(self) -> Iterator[tuple[str, Array, Array, Array]]:
        """Of each way: its name, the test images given, their true partners, and what the file makes of them.

        Raises UsageError for data without pairs.
        """
        test = self.real()
        if not getattr(test, "paired", False):
            raise UsageError(f"{self.folder}: its data '{test.name}' has no pairs to hold a translation against")
        for facts in self.networks:
            source, target = facts.network.split("_to_")
            given, truth = test.parts[source].items, test.parts[target].items
            yield facts.network, given, truth, self.generator(facts.network).translate(given)

    @property
    def crop(self) -> tuple[int, int] | None:
        """The size of the images without the border that was padded on; None where there is none."""
        native, made = CARDS[self.source].shape, self.facts.outputs[0].shape
        if native is None or len(native) != 3 or native[:2] == tuple(made[1:3]):
            return None
        smaller = all(n <= int(m) for n, m in zip(native, made[1:3], strict=False))
        section = spec.read(self.folder / "spec.yaml").sections.data
        return (native[0], native[1]) if smaller and section and section.fit in (None, "pad") else None

    @property
    def seen_as(self) -> dict[str, str]:
        """What Inception is given, for the protocol."""
        height, width, channels = self.cropped(self.fakes[:1]).shape[1:]
        return {"input": f"{height} x {width} pixels{', grey repeated to RGB' if channels == 1 else ''}"}

    def cropped(self, images: Array) -> Array:
        """Without the border."""
        return images if self.crop is None else middle(images, *self.crop)

    @cached_property
    def inception(self) -> Views:
        """Both sets as Inception sees them."""
        return self._views(inception(self.threads))

    @cached_property
    def judge(self) -> Views:
        """Both sets as the judge sees them, features and logits beside each other."""
        return self._views(judge())

    @cached_property
    def expert(self) -> FeatureNetwork:
        """The judge itself."""
        return judge()

    def _views(self, network: FeatureNetwork) -> Views:
        real, fake = self.cropped(self.test.items), self.cropped(self.fakes)
        return Views(network, see(network, real, "real"), see(network, fake, "generated"))


def see(network: FeatureNetwork, images: Array, which: str) -> Array:
    """Features of images, with a line of progress."""
    with progress(f"{network.name} looks at {len(images):,} {which} images", len(images)) as advance:
        return network(images, advance)


def halves(seen: Array) -> tuple[Array, Array]:
    """The judge's features [N, 64] and logits [N, 10]."""
    assert seen.shape[1] == FEATURES + CLASSES
    return seen[:, :FEATURES], seen[:, FEATURES:]
