"""Evaluation during training, the best weights that it found, and the sample sheets.

`Watch`: every so many steps the network that would be exported makes images of the same latents, each class in turn.
The judge's features of them are compared with those of real images of the TRAINING split: weights that are selected by
this number have not been selected on the test split. The weights of the lowest distance are kept as best.npz:

    <network>/000, 001, ...   the weights of each exported network, in Keras's order
    meta                      JSON: step, value, metric, its protocol, the steps that were evaluated

`SampleSheets`: pictures of what the networks make of the same latents, or images, again and again.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import keras
import numpy as np

from zoo.core import pictures
from zoo.core.arrays import Array, evenly_spaced, load_arrays, save_arrays
from zoo.core.errors import DiskFullError, TrainingError
from zoo.core.files import write_whole
from zoo.core.images import center_crop, from_uint8, to_uint8
from zoo.data.dataset import Dataset, Domains
from zoo.metrics.fid import frechet_distance
from zoo.metrics.networks import judge
from zoo.metrics.networks.judge import FEATURES
from zoo.runtime import priors
from zoo.spec.algorithm_checks import unwatchable
from zoo.spec.feeds import draw_inputs
from zoo.spec.graph_checks import redraws
from zoo.spec.plan import Plan
from zoo.spec.read import Spec
from zoo.train.algorithms.base import Algorithm
from zoo.train.checkpoint import refuse_damaged

BEST_FILE, WAITING_FILE = "best.npz", "best_waiting.npz"  # the latter until there is a checkpoint of its step, or later
REAL, BATCH = 10_000, 500  # the most real images that are compared; images that are generated at a time
SEED = priors.MAX_SEED  # of the latents; those of pictures and of later evaluations come from small seeds
TAG = "metric/"  # before the metric's name in TensorBoard


class Metric:
    """`metric(algorithm)`: the Frechet distance of the judge's features between generated and real images.

    The generated ones are made of the latents and labels `given` [N, ...]; the real ones are a fixed subset of `real`,
    uint8 [M, S, S, 1]. `name` contains the number of samples, `protocol` everything that makes two numbers comparable.
    """

    def __init__(self, spec: Spec, real: Array, given: Mapping[str, Array]) -> None:
        data = spec.sections.data
        assert data is not None
        self.plan = next(plan for plan in spec.leaving.values() if plan.output_name == "image")
        self.range, self.given, self.judge = data.range, given, judge.load_judge()
        self.real = real[np.sort(np.random.RandomState(0).permutation(len(real))[:REAL])]
        self.count = len(next(iter(given.values())))
        self.name = f"judge_frechet_{self.count}"
        self.protocol = (
            f"Frechet distance of {FEATURES} features between {self.count:,} samples and {len(self.real):,} real "
            f"training images, judged by {self.judge}"
        )

    @cached_property
    def real_features(self) -> Array:
        """The judge's features of the real images, computed at the first evaluation."""
        return self.judge(self.real).features

    def __call__(self, algorithm: Algorithm) -> float:
        """Evaluate the exported generator. Raises TrainingError where it makes numbers that are not finite."""
        feeds = [
            {name: self.given[name][first : first + BATCH] for name in self.plan.inputs}
            for first in range(0, self.count, BATCH)
        ]
        network = algorithm.as_exported(self.plan.name, feeds)
        made = np.concatenate([self._made(network, feed) for feed in feeds])
        return frechet_distance(self.judge(made).features, self.real_features)

    def _made(self, network: keras.Model, feed: dict[str, Array]) -> Array:
        """Return uint8 images of the spec's size: a network that grows makes smaller ones at first."""
        raw = keras.ops.convert_to_numpy(network(feed, training=False)[self.plan.output_name]).astype("float32")
        if not np.isfinite(raw).all():
            raise TrainingError(f"{self.plan.name} makes numbers that are not finite")
        return pictures.scale(to_uint8(raw, self.range), at_least=min(self.plan.output_shape[:2]))


@dataclass(frozen=True)
class Best:
    """The lowest `value` of a metric so far, the step and the weights that have it, and all steps `evaluated`.

    `weights` has those of each exported network, in Keras's order.
    """

    step: int
    value: float
    metric: str
    protocol: str
    evaluated: tuple[int, ...]
    weights: Mapping[str, Sequence[Array]] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"best of {len(self.evaluated):,} evaluations by {self.metric}"


class Watch:
    """Evaluates the exported networks, reports the value, and keeps the best weights in `folder`.

    A run that is resumed at step `first` continues with the best that it had by then. `save` writes a checkpoint and
    returns False where the disk is full, `report` prints a line, `plot` adds a number to the curves.
    """

    def __init__(
        self, spec: Spec, algorithm: Algorithm, metric: Metric, folder: Path, *, first: int,
        save: Callable[[], bool], report: Callable[[str], None], plot: Callable[[str, float], None],
    ) -> None:  # fmt: skip
        self.names, self.algorithm, self.metric, self.path = exported_names(spec), algorithm, metric, folder / BEST_FILE
        self.save, self.report, self.plot = save, report, plot
        self.best: Best | None = None
        self._ahead = False  # True while the best weights are of a later step than the checkpoint
        self._take_waiting(first)
        best = load_best(folder)
        if best is not None and best.protocol == metric.protocol and best.step <= first:
            self.best = replace(best, evaluated=tuple(step for step in best.evaluated if step <= first))

    def __call__(self, step: int, *, saved: bool = False) -> None:
        """Evaluate after step `step`, of which a checkpoint is `saved` or not yet.

        Raises:
            TrainingError: The images are not finite.
        """
        try:
            value = self.metric(self.algorithm)
        except TrainingError as error:
            raise TrainingError(f"step {step}: {error}") from error
        self.plot(TAG + self.metric.name, value)
        before, evaluated = self.best, (*(self.best.evaluated if self.best else ()), step)
        if before is not None and before.value <= value:
            self.best = replace(before, evaluated=evaluated)
            self.report(f"step {step:,}: {self.metric.name} {value:.4g} ({before.value:.4g} at step {before.step:,})")
        else:
            taken = {name: self.algorithm.exported(name).get_weights() for name in self.names}
            self.best = Best(step, value, self.metric.name, self.metric.protocol, evaluated, taken)
            # the checkpoint first: a run must never be resumed before its best step
            self._ahead = not saved and not self.save()
            self.report(f"step {step:,}: {self.metric.name} {value:.4g}, the lowest so far")
        if not self._ahead:
            self._try_to_write()

    def catch_up(self, step: int) -> None:
        """Evaluate step `step`, from which the run goes on, unless it was: a kill may come after its checkpoint."""
        if self.best is None or step not in self.best.evaluated:
            self(step, saved=True)

    def before_saving(self) -> None:
        """Write best weights that have waited for a checkpoint beside the earlier ones: a kill must not cost them.

        Raises:
            DiskFullError: There is no space: no checkpoint may be written that is ahead of the best weights.
        """
        if self._ahead:
            self._write(self.path.with_name(WAITING_FILE))

    def saved(self) -> None:
        """Put best weights that had to wait for a checkpoint in their place; there is one now."""
        waiting = self.path.with_name(WAITING_FILE)
        if self._ahead and waiting.exists():
            waiting.replace(self.path)
            self._ahead = False

    def _take_waiting(self, first: int) -> None:
        """Put weights in their place that a killed run left waiting; those of a step still to come are deleted."""
        waiting = self.path.with_name(WAITING_FILE)
        best = load_best(self.path.parent, WAITING_FILE)
        if best is not None and best.step <= first:
            waiting.replace(self.path)
        waiting.unlink(missing_ok=True)

    def _try_to_write(self) -> None:
        try:
            self._write(self.path)
        except DiskFullError as error:
            self._ahead = True  # tried again with the next checkpoint
            self.report(f"{error}; training goes on")

    def _write(self, path: Path) -> None:
        """Write the best weights. Raises DiskFullError."""
        assert self.best is not None
        meta = {key: value for key, value in asdict(replace(self.best, weights={})).items() if key != "weights"}
        weights = self.best.weights.items()
        arrays = {f"{name}/{i:03d}": a for name, arrays in weights for i, a in enumerate(arrays)}
        save_arrays(path, arrays, meta)


def make_metric(spec: Spec, dataset: Dataset | Domains) -> Metric | None:
    """Return the metric of a training, or None where it is not evaluated. `dataset` is its training data."""
    training = spec.sections.training
    if training is None or training.evaluate is None or why_unwatched(spec):
        return None
    return Metric(spec, dataset.parts["image"].items, draw_inputs(spec, training.evaluate.samples, seed=SEED))


def why_unwatched(spec: Spec) -> str:
    """Return the reason why evaluation during training is off.

    Args:
        spec: The spec to train.

    Returns:
        The reason, or an empty string where the training is evaluated.
    """
    training = spec.sections.training
    if training is None or training.evaluate is None:
        return "training.evaluate is null"
    return unwatchable(spec.document, spec.plans)


def exported_names(spec: Spec) -> tuple[str, ...]:
    """Return the names of the networks that are exported, as such or as parts of values."""
    return spec.exported_networks


def load_best(folder: Path, file: str = BEST_FILE) -> Best | None:
    """Read the best weights of the run in `folder`; None where there are none.

    Raises:
        TrainingError: For a damaged file.
    """
    path = folder / file
    if not path.exists():
        return None
    with refuse_damaged(path, "file of the best weights of a run", "Delete it"):
        arrays, meta = load_arrays(path)
        names = dict.fromkeys(name.split("/")[0] for name in arrays)
        weights = {name: [arrays[key] for key in sorted(arrays) if key.startswith(f"{name}/")] for name in names}
        metric, protocol, evaluated = str(meta["metric"]), str(meta["protocol"]), tuple(map(int, meta["evaluated"]))
        return Best(int(meta["step"]), float(meta["value"]), metric, protocol, evaluated, weights)


def restore_best(best: Best, algorithm: Algorithm) -> None:
    """Put the best weights into the exported networks of `algorithm`.

    Raises:
        TrainingError: Where they do not fit.
    """
    algorithm.begin(max(best.step - 1, 0))  # the stage in which they were taken
    for name, weights in best.weights.items():
        network = algorithm.exported(name) if name in algorithm.players else None
        if network is None or [a.shape for a in weights] != [tuple(v.shape) for v in network.weights]:
            raise TrainingError(f"{BEST_FILE}: does not fit the network '{name}'. Start over without --resume")
        network.set_weights(weights)


SAMPLES, PAIRS, MEASURED = 64, 16, 512


def pictured_inputs(spec: Spec, dataset: Dataset | Domains) -> dict[str, Array]:
    """Return the inputs that all sample sheets of a run are made from.

    Args:
        spec: The spec that is trained.
        dataset: Its training data.

    Returns:
        64 latents [64, ...] of seed 0 and, where there are classes, each class in turn as `label` [64]; for two
        domains, and for networks that are exported to redraw images, also at most 16 images of each, uint8
        [N, H, W, C] at the spec's size, from all over the data.
    """
    inputs = draw_inputs(spec, SAMPLES, seed=0)
    taken = {name for plan in spec.leaving.values() for name in plan.inputs}
    for name, part in dataset.parts.items():
        if isinstance(dataset, Domains) or name in taken & {*spec.image_fields}:
            height, width, _ = spec.fields[name]
            inputs[name] = center_crop(evenly_spaced(part.items, PAIRS), height, width)
    return inputs


class SampleSheets:
    """Sample sheets of a training: what each network makes of the same inputs, as it would be exported.

    `sheets(step)` writes two files for every network whose output is compared with the data, or that is exported to
    redraw images:

        <network>-<step:07d>.png    a grid for people: samples, or originals with their translations at their right
        <network>-<step:07d>.npz    `made`, uint8 images [N, H, W, C] or float32 points [N, 2], and for translators
                                    `given`, the originals, uint8 [N, H, W, C]

    Statistics of batch norm are measured first. A network that grows makes smaller images at first: their pixels are
    repeated until they have the size of the spec.

    Args:
        spec: The spec that is trained.
        algorithm: The algorithm that trains it.
        folder: Where the files go; it is made when the first is written.
        shown: What `pictured_inputs` returned.
    """

    def __init__(self, spec: Spec, algorithm: Algorithm, folder: Path, shown: Mapping[str, Array]) -> None:
        self.spec, self.algorithm, self.folder, self.shown = spec, algorithm, folder, shown
        self.measuring = draw_inputs(spec, MEASURED, seed=priors.MAX_SEED)

    def __call__(self, step: int) -> None:
        """Write the sheets of one step.

        Args:
            step: How many steps were made.

        Raises:
            TrainingError: A network makes NaN or infinity.
        """
        for name, plan in {**self.spec.plans, **self.spec.leaving}.items():
            compared = plan.output_name in self.spec.fields or (name in self.spec.leaving and redraws(plan))
            if compared and plan.inputs.keys() <= self.shown.keys():
                raw = self._output(name, plan)
                if not np.isfinite(raw).all():
                    raise TrainingError(f"step {step}: {name} makes numbers that are not finite")
                self.folder.mkdir(parents=True, exist_ok=True)
                _write_sheet(self.folder / f"{name}-{step:07d}", self._arrays(plan, raw))

    def drawn(self, step: int) -> bool:
        """Return True where a sheet of one step is there."""
        return any(self.folder.glob(f"*-{step:07d}.npz"))

    def _output(self, name: str, plan: Plan) -> Array:
        """The raw output for all that is shown, float32."""
        assert self.spec.sections.data is not None
        feed = {key: self.shown[key] for key in plan.inputs}
        feed = {
            key: from_uint8(x, self.spec.sections.data.range) if x.dtype == np.uint8 else x for key, x in feed.items()
        }
        drawn = plan.inputs.keys() <= self.measuring.keys()
        network = self.algorithm.as_exported(
            name, [{key: self.measuring[key] for key in plan.inputs} if drawn else feed]
        )
        return keras.ops.convert_to_numpy(network(feed, training=False)[plan.output_name]).astype("float32")

    def _arrays(self, plan: Plan, raw: Array) -> dict[str, Array]:
        assert self.spec.sections.data is not None
        if raw.ndim != 4:
            return {"made": raw}
        images = pictures.scale(to_uint8(raw, self.spec.sections.data.range), at_least=min(plan.output_shape[:2]))
        originals = [self.shown[key] for key in plan.inputs if self.shown[key].dtype == np.uint8]
        return {"made": images, **({"given": originals[0]} if originals else {})}


def _write_sheet(path: Path, arrays: Mapping[str, Array]) -> None:
    made, given = arrays["made"], arrays.get("given")
    pictures.write_png(
        path.with_name(f"{path.name}.png"), pictures.picture(made) if given is None else pictures.pairs(given, made)
    )
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_whole(path.with_name(f"{path.name}.npz"), buffer.getvalue())
