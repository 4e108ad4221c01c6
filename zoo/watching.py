"""A quick look at quality while a training runs, and the best weights that it saw.

Every so many steps the network that would be exported makes images of the same latents, each class in turn. The judge's
features of them are held against those of real images of the TRAINING split: what is selected by them has not seen the
test split. The exported weights of the lowest distance are kept as best.npz:

<network>/000, 001, ...   the weights of each exported network, in Keras's order
meta                      JSON: step, value, metric, its protocol, the steps at which there was an evaluation
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import keras
import numpy as np

from zoo import fold, judge, latents, pictures, priors
from zoo.algorithms import Algorithm
from zoo.arrays import Array, to_uint8
from zoo.data import Dataset, Domains
from zoo.errors import TrainingError
from zoo.manifest import write_whole
from zoo.metrics import frechet
from zoo.spec import Spec
from zoo.spec.evaluation import unwatchable

FILE, META = "best.npz", "meta"
REAL, BATCH = 10_000, 500  # real images of the training split; generated ones that are made at a time
SEED = priors.MAX_SEED  # of the latents: what people look at, and measure later, comes from small seeds
TAG = "metric/"  # before the metric's name in TensorBoard


class Metric:
    """`metric(algorithm)`: the Frechet distance of the judge's features between samples of the exported generator,
    which are made of the latents and labels `given` [N, ...], and a fixed subset of the `real` images
    uint8 [M, S, S, 1]. `name` says with how many samples, `protocol` all that makes two numbers comparable.
    """

    def __init__(self, spec: Spec, real: Array, given: Mapping[str, Array]) -> None:
        data = spec.sections.data
        assert data is not None
        self.plan = next(spec.plans[name] for name in exported(spec) if spec.plans[name].output_name == "image")
        self.range, self.given, self.judge = data.range, given, judge.load()
        self.real = real[np.sort(np.random.RandomState(0).permutation(len(real))[:REAL])]
        self.count = len(next(iter(given.values())))
        self.name = f"judge_frechet_{self.count}"
        self.protocol = (
            f"Frechet distance of {judge.FEATURES} features between {self.count:,} samples and {len(self.real):,} real "
            f"training images, judged by {self.judge}"
        )

    @cached_property
    def truth(self) -> Array:
        """What the judge sees in the real images: of use, and so looked at, in the first evaluation."""
        return self.judge(self.real).features

    def __call__(self, algorithm: Algorithm) -> float:
        """Raises TrainingError for numbers that are not finite."""
        feeds = [
            {tap: self.given[tap][first : first + BATCH] for tap in self.plan.inputs}
            for first in range(0, self.count, BATCH)
        ]
        network = fold.as_exported(algorithm, self.plan.name, feeds)
        made = np.concatenate([self._made(network, feed) for feed in feeds])
        return frechet.distance(self.judge(made).features, self.truth)

    def _made(self, network: keras.Model, feed: dict[str, Array]) -> Array:
        """uint8 images of the spec's size: a network that grows makes smaller ones at first."""
        raw = keras.ops.convert_to_numpy(network(feed, training=False)[self.plan.output_name]).astype("float32")
        if not np.isfinite(raw).all():
            raise TrainingError(f"{self.plan.name} makes numbers that are not finite")
        return pictures.scale(to_uint8(raw, self.range), at_least=min(self.plan.output_shape[:2]))


@dataclass(frozen=True)
class Best:
    """The lowest `value` so far of a metric and its protocol, after which step, and all steps that were `evaluated`.

    `weights` are those of each exported network, in Keras's order.
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
    """Evaluates, tells, and keeps the best. A run that is resumed at step `first` goes on with the best it had."""

    def __init__(
        self, spec: Spec, algorithm: Algorithm, metric: Metric, folder: Path, *, first: int,
        save: Callable[[], None], tell: Callable[[str], None], plot: Callable[[str, float], None],
    ) -> None:  # fmt: skip
        self.names, self.algorithm, self.metric, self.path = exported(spec), algorithm, metric, folder / FILE
        self.save, self.tell, self.plot = save, tell, plot
        best = load(folder)
        earlier = best is not None and best.protocol == metric.protocol and best.step <= first
        self.best = best if earlier else None
        if best is not None and earlier:
            self.best = replace(best, evaluated=tuple(step for step in best.evaluated if step <= first))

    def __call__(self, step: int) -> None:
        """Raises TrainingError."""
        try:
            value = self.metric(self.algorithm)
        except TrainingError as error:
            raise TrainingError(f"step {step}: {error}") from error
        self.plot(TAG + self.metric.name, value)
        before, evaluated = self.best, (*(self.best.evaluated if self.best else ()), step)
        if before is not None and before.value <= value:
            self.best = replace(before, evaluated=evaluated)
            self.tell(f"step {step:,}: {self.metric.name} {value:.4g} ({before.value:.4g} at step {before.step:,})")
        else:
            self.save()  # the checkpoint first: what is kept as best must never be ahead of where a run is resumed
            weights = {name: self.algorithm.exported(name).get_weights() for name in self.names}
            self.best = Best(step, value, self.metric.name, self.metric.protocol, evaluated, weights)
            self.tell(f"step {step:,}: {self.metric.name} {value:.4g}, the lowest so far")
        _write(self.path, self.best)


def of(spec: Spec, dataset: Dataset | Domains) -> Metric | None:
    """The metric of a training, with its data, where it can be watched."""
    training = spec.sections.training
    if training is None or training.evaluate is None or why_not(spec):
        return None
    return Metric(spec, dataset.parts["image"].items, latents.drawn(spec, training.evaluate.samples, seed=SEED))


def why_not(spec: Spec) -> str:
    """Why nobody watches the training of a spec; nothing if somebody does."""
    training = spec.sections.training
    if training is None or training.evaluate is None:
        return "training.evaluate is null"
    return unwatchable(spec.document, spec.plans)


def exported(spec: Spec) -> tuple[str, ...]:
    """The names of the networks that leave."""
    return spec.sections.export.networks if spec.sections.export else ("generator",)


def load(folder: Path) -> Best | None:
    """What is kept in the folder of a run, if anything is. Raises TrainingError for a file that cannot be read."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(str(arrays.pop(META)))
        names = dict.fromkeys(name.split("/")[0] for name in arrays)
        weights = {name: [arrays[key] for key in sorted(arrays) if key.startswith(f"{name}/")] for name in names}
        metric, protocol, evaluated = str(meta["metric"]), str(meta["protocol"]), tuple(map(int, meta["evaluated"]))
        return Best(int(meta["step"]), float(meta["value"]), metric, protocol, evaluated, weights)
    except Exception as error:  # decoders of broken files raise almost anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TrainingError(f"{path}: not readable as the best weights of a run: {reason}. Delete it") from error


def put(best: Best, algorithm: Algorithm) -> None:
    """Put the best weights into the networks that leave. Raises TrainingError where they do not fit."""
    algorithm.begin(max(best.step - 1, 0))  # the stage in which they were taken
    for name, weights in best.weights.items():
        network = algorithm.exported(name) if name in algorithm.players else None
        if network is None or [a.shape for a in weights] != [tuple(v.shape) for v in network.weights]:
            raise TrainingError(f"{FILE}: does not fit the network '{name}'. Start over without --resume")
        network.set_weights(weights)


def _write(path: Path, best: Best) -> None:
    meta = {key: value for key, value in asdict(replace(best, weights={})).items() if key != "weights"}
    arrays = {f"{name}/{i:03d}": array for name, weights in best.weights.items() for i, array in enumerate(weights)}
    buffer = io.BytesIO()
    np.savez(buffer, **{META: np.array(json.dumps(meta))}, **arrays)  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getvalue())
