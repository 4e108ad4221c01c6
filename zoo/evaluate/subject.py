"""The subject of an evaluation: an artifact, what its networks make, and the real data to compare it with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from zoo.artifact.manifest import Manifest, read_manifests
from zoo.core.arrays import Array
from zoo.core.errors import UsageError
from zoo.core.images import center_crop, on_white, padded
from zoo.core.progress import progress
from zoo.data.catalogue import DATASETS
from zoo.data.dataset import Dataset
from zoo.metrics.networks import inception
from zoo.metrics.networks.judge import CLASSES, FEATURES, load_judge
from zoo.metrics.networks.network import FeatureNetwork
from zoo.runtime.cells import drawn_shape
from zoo.runtime.generator import Generator
from zoo.spec import feeds
from zoo.spec.algorithm_checks import unwatchable
from zoo.spec.read import Spec, read_spec

INTO_RGB = {1: ", grey repeated to RGB", 4: ", on white"}  # by the number of channels


@dataclass(frozen=True)
class FeaturePair:
    """Features float32 [N, D] of `real` (test) and `fake` images, and the network that computed them."""

    network: FeatureNetwork
    real: Array
    fake: Array


@dataclass(frozen=True)
class Translation:
    """Test images `given` to the translator of `manifest`, their true partners, and its results, all uint8."""

    manifest: Manifest
    given: Array
    truth: Array
    made: Array


@dataclass
class Subject:
    """An artifact under measurement. Samples, data and features are made when a measure asks for them, and kept.

    Args:
        folder: of the artifact.
        n: the number of samples.
        seed: of the samples.
        threads: cores for ONNX Runtime; None: all.
        provider: of ONNX Runtime, "cpu" or "cuda", on which the artifact's networks run; those of metrics use the CPU.
    """

    folder: Path
    n: int
    seed: int
    threads: int | None = None
    provider: str = "cpu"

    @cached_property
    def networks(self) -> tuple[Manifest, ...]:
        """The manifests of its networks."""
        return read_manifests(self.folder)

    @property
    def manifest(self) -> Manifest:
        """The manifest of its first network."""
        return self.networks[0]

    def generator(self, network: str = "") -> Generator:
        """Load one of its networks."""
        return zoo.load(self.folder, network=network or None, threads=self.threads, provider=self.provider)

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
        """True if it takes class ids."""
        return any(tensor.classes for tensor in self.manifest.inputs)

    @cached_property
    def spec(self) -> Spec:
        """The spec that it was trained by."""
        return read_spec(self.folder / "spec.yaml")

    @cached_property
    def drawn_shape(self) -> tuple[int, ...]:
        """The shape of one output at the size of the training."""
        return drawn_shape(self.manifest)

    @property
    def full_size(self) -> bool:
        """True if its images are as large as its data: a training that grows may have ended before."""
        return self.kind != "images" or self.drawn_shape == tuple(self.spec.fields["image"])

    @property
    def judged(self) -> bool:
        """True if there is a judge for its images."""
        return self.kind == "images" and self.full_size and not unwatchable(self.spec.document, self.spec.plans)

    @property
    def no_reference(self) -> str:
        """The reason why no reference data is available, or an empty string."""
        info = DATASETS[self.source]
        if "test" not in info.splits:
            return "its data are folders of the trainer's own; there is no test split"
        if self.kind == "translation" and not info.paired:
            return f"its data '{self.source}' has no pairs to compare a translation with"
        if not self.full_size:
            made, whole = self.drawn_shape, self.spec.fields["image"][:2]
            return f"it makes {made[0]} x {made[1]} pixels of {whole[0]} x {whole[1]}: it has not grown so far"
        return ""

    @property
    def reference_count(self) -> int:
        """The number of real items of the test split."""
        return DATASETS[self.source].splits.get("test", 0)

    def real(self, split: Any = "test") -> Any:
        """Load the real data as its spec prepares them, a Dataset or Domains.

        Raises UsageError where there is no test split to compare with, DataError where the data cannot be had.
        """
        if split == "test" and self.no_reference:
            raise UsageError(f"{self.folder}: {self.no_reference}")
        return feeds.load_data(self.spec, split=split)

    @cached_property
    def test(self) -> Dataset:
        """The real test images, or points."""
        dataset = self.real()
        assert isinstance(dataset, Dataset)
        return dataset

    @cached_property
    def fakes(self) -> Array:
        """`n` samples, as users of the file get them: uint8 [n, H, W, C], or points float32 [n, 2]."""
        return self.generator().sample(self.n, self.seed)

    @cached_property
    def translations(self) -> list[Translation]:
        """The test images and the results of every translator. Raises UsageError for data without pairs."""
        test, translations = self.real(), []
        for manifest in self.networks:
            given, truth = (test.parts[tensor.name].items for tensor in (manifest.inputs[0], manifest.outputs[0]))
            made = self.generator(manifest.network).translate(given)
            translations.append(Translation(manifest, *map(on_white, (given, truth, made))))
        return translations

    @property
    def crop(self) -> tuple[int, int] | None:
        """Height and width of the images without the border that was padded on; None where there is none."""
        native, section = DATASETS[self.source].shape, self.spec.sections.data
        if native is None or len(native) != 3 or section is None or section.fit not in (None, "pad"):
            return None
        height, width = self.drawn_shape[:2]
        inside = padded(native[:2], height, width)
        return None if inside == (height, width) else inside

    def cropped(self, images: Array) -> Array:
        """Return images without the border."""
        return images if self.crop is None else center_crop(images, *self.crop)

    @property
    def inception_input(self) -> dict[str, str]:
        """The images that Inception receives, in words, for protocols."""
        height, width, channels = self.cropped(self.fakes[:1]).shape[1:]
        return {"input": f"{height} x {width} pixels{INTO_RGB.get(channels, '')}"}

    @cached_property
    def inception(self) -> FeaturePair:
        """Inception's features of both sets."""
        return self._features(inception.load(self.threads))

    @cached_property
    def judge(self) -> FeatureNetwork:
        """The judge of garments, with its features and logits beside each other: [N, 64 + 10]."""
        judge = load_judge()

        def run(images: Array) -> Array:
            prediction = judge(images)
            return np.concatenate([prediction.features, prediction.logits], axis=1)

        resize = "none; 28 x 28 pixels of the middle"
        return FeatureNetwork("judge", FEATURES + CLASSES, judge.sha256, run, resize, batch=500)

    @cached_property
    def judge_features(self) -> FeaturePair:
        """The judge's features and logits of both sets."""
        return self._features(self.judge)

    def _features(self, network: FeatureNetwork) -> FeaturePair:
        real, fake = (on_white(self.cropped(images)) for images in (self.test.items, self.fakes))
        return FeaturePair(network, extract(network, real, "real"), extract(network, fake, "generated"))


def extract(network: FeatureNetwork, images: Array, which: str) -> Array:
    """Compute features of images, with a line of progress.

    Args:
        network: the feature network.
        images: uint8 [N, H, W, C].
        which: the kind of images, for the line.

    Returns:
        float32 [N, D].
    """
    with progress(f"{network.name} looks at {len(images):,} {which} images", len(images)) as advance:
        return network(images, advance)


def split_judge(outputs: Array) -> tuple[Array, Array]:
    """Split the outputs of `Subject.judge` into its features and its logits.

    Args:
        outputs: float32 [N, 64 + 10].

    Returns:
        The features [N, 64] and the logits [N, 10].
    """
    assert outputs.shape[1] == FEATURES + CLASSES
    return outputs[:, :FEATURES], outputs[:, FEATURES:]


def direction(manifest: Manifest) -> str:
    """Name what a translator does, as the names of its numbers end.

    Args:
        manifest: of a network that takes images.

    Returns:
        Its input and output, such as "a_to_b".
    """
    return f"{manifest.inputs[0].name}_to_{manifest.outputs[0].name}"
