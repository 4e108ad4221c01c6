"""The film of a training: what the exported networks make of the same latents, or images, again and again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from zoo import fold, latents, pictures, priors
from zoo.algorithms import Algorithm
from zoo.arrays import from_uint8, spread, to_uint8
from zoo.data import Dataset, Domains
from zoo.data.prepare import middle
from zoo.errors import TrainingError
from zoo.spec import Plan, Spec

SAMPLES, PAIRS, MEASURED = 64, 16, 512


def shown(spec: Spec, dataset: Dataset | Domains) -> dict[str, np.ndarray]:
    """What all pictures of a run are made from: latents of seed 0, each class in turn, images of either domain."""
    given = latents.drawn(spec, SAMPLES, seed=0)
    if isinstance(dataset, Domains):
        for name, part in dataset.parts.items():
            height, width, _ = spec.fields[name]
            given[name] = middle(spread(part.items, PAIRS), height, width)
    return given


class PictureOf:
    """Writes <folder>/<network>-<step>.png for every network that makes examples of the data from what is `shown`:
    latents, class ids, or uint8 images, beside which their translations then stand. It is drawn as it would leave, with
    the statistics of batch norm measured."""

    def __init__(self, spec: Spec, algorithm: Algorithm, folder: Path, shown: Mapping[str, np.ndarray]) -> None:
        self.spec, self.algorithm, self.folder, self.shown = spec, algorithm, folder, shown
        self.measuring = latents.drawn(spec, MEASURED, seed=priors.MAX_SEED)

    def __call__(self, step: int) -> None:
        """Raises TrainingError for a network that makes NaN or infinity."""
        for name, plan in self.spec.plans.items():
            if plan.output_name in self.spec.fields and plan.inputs.keys() <= self.shown.keys():
                raw = self._made(name, plan)
                if not np.isfinite(raw).all():
                    raise TrainingError(f"step {step}: {name} makes numbers that are not finite")
                self.folder.mkdir(parents=True, exist_ok=True)
                pictures.write_png(self.folder / f"{name}-{step:07d}.png", self._picture(plan, raw))

    def _made(self, name: str, plan: Plan) -> np.ndarray:
        """The raw output for all that is shown, float32."""
        assert self.spec.sections.data is not None
        feed = {key: self.shown[key] for key in plan.inputs}
        feed = {
            key: from_uint8(x, self.spec.sections.data.range) if x.dtype == np.uint8 else x for key, x in feed.items()
        }
        drawn = plan.inputs.keys() <= self.measuring.keys()
        network = fold.as_exported(
            self.algorithm, name, [{key: self.measuring[key] for key in plan.inputs} if drawn else feed]
        )
        return keras.ops.convert_to_numpy(network(feed, training=False)[plan.output_name]).astype("float32")

    def _picture(self, plan: Plan, raw: np.ndarray) -> pictures.Image:
        assert self.spec.sections.data is not None
        if raw.ndim != 4:
            return pictures.picture(raw)
        # a network that grows makes smaller images at first
        images = pictures.scale(to_uint8(raw, self.spec.sections.data.range), at_least=min(plan.output_shape[:2]))
        originals = next((self.shown[key] for key in plan.inputs if self.shown[key].dtype == np.uint8), None)
        return pictures.picture(images) if originals is None else pictures.pairs(originals, images)
