"""What is measured: an artifact, what its networks make, and the real data that they are held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import zoo
from zoo.artifact.manifest import Manifest, read_manifests
from zoo.core.arrays import Array
from zoo.core.errors import UsageError
from zoo.core.images import center_crop, padded
from zoo.core.progress import progress
from zoo.data.catalogue import DATASETS
from zoo.data.dataset import Dataset
from zoo.metrics.networks.judge import CLASSES, FEATURES
from zoo.metrics.networks.network import FeatureNetwork, inception, judge
from zoo.runtime.generator import Generator
from zoo.spec import feeds
from zoo.spec.algorithm_checks import unwatchable
from zoo.spec.read import Spec, read_spec


@dataclass(frozen=True)
class FeaturePair:
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
        return read_manifests(self.folder)

    @property
    def manifest(self) -> Manifest:
        return self.networks[0]

    def generator(self, network: str = "") -> Generator:
        """One of its networks, ready to run."""
        return zoo.load(self.folder, network=network or None, threads=self.threads)

    @property
    def kind(self) -> str:
        """ "images", "points" or "translation": see `Manifest.kind`."""
        return self.manifest.kind

    @cached_property
    def source(self) -> str:
        """The name of its data set."""
        return str(self.manifest.data["name"])

    @property
    def labelled(self) -> bool:
        """Whether it takes class ids."""
        return any(tensor.classes for tensor in self.manifest.inputs)

    @cached_property
    def recipe(self) -> Spec:
        """The spec that it was trained by."""
        return read_spec(self.folder / "spec.yaml")

    @property
    def full_size(self) -> bool:
        """Whether its images are as large as its data: a training that grows may have ended before."""
        return self.kind != "images" or tuple(self.manifest.outputs[0].shape[1:]) == tuple(self.recipe.fields["image"])

    @property
    def judged(self) -> bool:
        """Whether there is a judge for its images."""
        return self.kind == "images" and self.full_size and not unwatchable(self.recipe.document, self.recipe.plans)

    @property
    def no_reference(self) -> str:
        """Why there is nothing real to hold it against; nothing if there is."""
        info = DATASETS[self.source]
        if "test" not in info.splits:
            return "its data are folders of the trainer's own; there is no test split"
        if self.kind == "translation" and not info.paired:
            return f"its data '{self.source}' has no pairs to hold a translation against"
        if not self.full_size:
            made, whole = self.manifest.outputs[0].shape[1:3], self.recipe.fields["image"][:2]
            return f"it makes {made[0]} x {made[1]} pixels of {whole[0]} x {whole[1]}: it has not grown so far"
        return ""

    @property
    def reference_count(self) -> int:
        """How many real items of the test split there are."""
        return DATASETS[self.source].splits.get("test", 0)

    def real(self, split: Any = "test") -> Any:
        """The real data as its spec prepares them. Raises UsageError where there is none to hold it against."""
        if split == "test" and self.no_reference:
            raise UsageError(f"{self.folder}: {self.no_reference}")
        return feeds.load_data(self.recipe, split=split)

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

    def translations(self) -> Iterator[tuple[Manifest, Array, Array, Array]]:
        """Of each way: its network, the test images given, their true partners, and what the file makes of them.

        Raises UsageError for data without pairs.
        """
        test = self.real()
        for manifest in self.networks:
            source, target = manifest.inputs[0].name, manifest.outputs[0].name
            given, truth = test.parts[source].items, test.parts[target].items
            yield manifest, given, truth, self.generator(manifest.network).translate(given)

    @property
    def crop(self) -> tuple[int, int] | None:
        """The size of the images without the border that was padded on; None where there is none."""
        native, section = DATASETS[self.source].shape, self.recipe.sections.data
        if native is None or len(native) != 3 or section is None or section.fit not in (None, "pad"):
            return None
        height, width = map(int, self.manifest.outputs[0].shape[1:3])
        inside = padded(native[:2], height, width)
        return None if inside == (height, width) else inside

    @property
    def seen_as(self) -> dict[str, str]:
        """What Inception is given, for the protocol."""
        height, width, channels = self.cropped(self.fakes[:1]).shape[1:]
        return {"input": f"{height} x {width} pixels{', grey repeated to RGB' if channels == 1 else ''}"}

    def cropped(self, images: Array) -> Array:
        """Without the border."""
        return images if self.crop is None else center_crop(images, *self.crop)

    @cached_property
    def inception(self) -> FeaturePair:
        """Both sets as Inception sees them."""
        return self._views(inception(self.threads))

    @cached_property
    def judge_features(self) -> FeaturePair:
        """Both sets as the judge sees them, features and logits beside each other."""
        return self._views(judge())

    @cached_property
    def judge(self) -> FeatureNetwork:
        """The judge itself."""
        return judge()

    def _views(self, network: FeatureNetwork) -> FeaturePair:
        real, fake = self.cropped(self.test.items), self.cropped(self.fakes)
        return FeaturePair(network, extract(network, real, "real"), extract(network, fake, "generated"))


def way(manifest: Manifest) -> str:
    """What a translator does, as names of its numbers end: a_to_b."""
    return f"{manifest.inputs[0].name}_to_{manifest.outputs[0].name}"


def extract(network: FeatureNetwork, images: Array, which: str) -> Array:
    """Features of images, with a line of progress."""
    with progress(f"{network.name} looks at {len(images):,} {which} images", len(images)) as advance:
        return network(images, advance)


def halves(seen: Array) -> tuple[Array, Array]:
    """The judge's features [N, 64] and logits [N, 10]."""
    assert seen.shape[1] == FEATURES + CLASSES
    return seen[:, :FEATURES], seen[:, FEATURES:]
