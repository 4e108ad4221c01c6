"""One training on several devices of a machine: each computes a share of every batch, and all hold the same weights.

    batch [draws, B, ...]  ->  share i of n: examples i * B / n to before (i + 1) * B / n of each draw

`training.batch_size` is the global batch: the number of devices changes neither what a step sees nor its result, but
for rounding. Batch norm's statistics are those of the global batch, and gradients are means over it.

    TensorFlow   tf.distribute.MirroredStrategy: the step runs once for each device, and means are taken between them
    JAX          keras.distribution.DataParallel: the compiler divides one step; dropout masks are those of one device

On TensorFlow every share draws the same dropout masks, and what looks at a whole batch is refused, see `check`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import keras

from zoo.core.errors import UsageError
from zoo.spec.plan import MIXES_ROWS, Plan

Tensor = Any
Step = Callable[[dict[str, Tensor]], dict[str, Tensor]]


class Replicas:
    """The devices of a training; this class stands for a single one, and changes nothing.

    Attributes:
        count: How many devices there are.
    """

    count = 1

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which networks and optimizers are built."""
        return contextlib.nullcontext()

    def check(self, plans: Sequence[Plan], undivided: Sequence[str]) -> None:
        """Refuse a step that these devices cannot divide.

        Args:
            plans: The plans of its networks.
            undivided: What it does with whole batches, in words.

        Raises:
            UsageError: It has such a part.
        """

    def prepare(self, networks: Sequence[keras.Model]) -> None:
        """Make the networks' batch norm measure the global batch."""

    def run(self, step: Step, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Make a step of the global batch [draws, B, ...]; numbers [1] are handed to every device."""
        return step(batch)

    def summands(self, gradients: list[Tensor]) -> list[Tensor]:
        """Return what the devices' optimizers add up to the mean gradients."""
        return gradients

    def everywhere(self, flag: Tensor) -> Tensor:
        """Return True, a scalar, where the flag is True on every device."""
        return flag


class Mirrored(Replicas):
    """TensorFlow's MirroredStrategy around the step, inside the function that `fit` compiles.

    `fit` itself is told of a single device: it would divide a batch along its first axis, which is that of the draws.
    """

    def __init__(self, devices: Sequence[str]) -> None:
        import tensorflow as tf

        self.count, self.strategy = len(devices), tf.distribute.MirroredStrategy(devices)

    @contextlib.contextmanager
    def _scope(self) -> Any:
        import tensorflow as tf

        def created(create: Callable[..., Any], **arguments: Any) -> Any:
            """A variable may be assigned within a step, on all devices at once: to equal values, or to one device's."""
            if arguments.get("aggregation") in (None, tf.VariableAggregation.NONE):
                arguments["aggregation"] = tf.VariableAggregation.ONLY_FIRST_REPLICA
            return create(**arguments)

        with self.strategy.scope(), tf.variable_creator_scope(created):
            yield

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        return self._scope()

    def check(self, plans: Sequence[Plan], undivided: Sequence[str]) -> None:
        lone = [
            step.place
            for plan in plans
            for step in plan.steps
            if step.layer in MIXES_ROWS and step.args.get("group_size") is None
        ]
        reasons = [*undivided, *(f"{place}: this layer looks at the whole batch" for place in lone)]
        if reasons:
            shares = "Keras on tensorflow gives each device a share of the batch"
            reason = "; ".join(reasons)
            raise UsageError(f"training.devices: {shares}, and {reason}. KERAS_BACKEND=jax divides such steps")

    def prepare(self, networks: Sequence[keras.Model]) -> None:
        for network in networks:
            for layer in network.layers:
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.synchronized = True

    def run(self, step: Step, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        import tensorflow as tf

        def share(whole: Tensor) -> Tensor:
            if whole.shape.rank < 2:
                return whole
            number, size = tf.distribute.get_replica_context().replica_id_in_sync_group, whole.shape[1] // self.count
            begin = tf.stack([0, number * size, *[0] * (whole.shape.rank - 2)])
            return tf.slice(whole, begin, [-1, size, *whole.shape[2:]])

        with self.strategy.scope():
            logs = self.strategy.run(lambda given: step({k: share(x) for k, x in given.items()}), args=(batch,))
            return {name: self.strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    def summands(self, gradients: list[Tensor]) -> list[Tensor]:
        return [gradient / self.count for gradient in gradients]  # Keras's optimizers add up what the devices have

    def everywhere(self, flag: Tensor) -> Tensor:
        import tensorflow as tf

        return mean([tf.cast(flag, "float32")])[0] == 1.0


class _DataParallel(Replicas):
    """Keras's DataParallel for JAX, for batches whose examples lie along their second axis."""

    def __init__(self, devices: Sequence[str]) -> None:
        self.count, self.distribution = len(devices), _Shares(devices=list(devices), auto_shard_dataset=False)


class _Shares(keras.distribution.DataParallel):
    def get_data_layout(self, data_shape: tuple[int, ...]) -> Any:
        axes: list[Any] = [None] * len(data_shape)
        if len(data_shape) > 1 and data_shape[1] % self.device_mesh.shape[0] == 0:  # else every device has all of it
            axes[1] = self.batch_dim_name
        return keras.distribution.TensorLayout(axes, self.device_mesh)


ONE = Replicas()


def make(devices: int | Literal["all"]) -> Replicas:
    """Return the devices of the trainings that are built next.

    Args:
        devices: How many GPUs, or `all`; where there is none, of the CPUs that the backend was told to see.

    Returns:
        The devices; `ONE` for a single one.

    Raises:
        UsageError: There are fewer, or the backend cannot divide a step.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        keras.distribution.set_distribution(None)
    if devices == 1:
        return ONE
    if backend not in _KINDS:
        raise UsageError(f"training.devices: Keras on {backend} trains on one device: its `fit` cannot divide a step")
    found = _visible(backend)
    wanted = len(found) if devices == "all" else devices
    if wanted > len(found):
        raise UsageError(f"training.devices: {wanted}, but Keras on {backend} sees {len(found)}: {', '.join(found)}")
    if wanted == 1:
        return ONE
    replicas = _KINDS[backend](found[:wanted])
    if isinstance(replicas, _DataParallel):
        keras.distribution.set_distribution(replicas.distribution)
    return replicas


def _visible(backend: str) -> list[str]:
    """Names of the GPUs (or TPUs) that the backend sees; of its CPUs where it sees no others."""
    if backend == "tensorflow":
        import tensorflow as tf

        names = [device.name.split("device:")[-1] for device in tf.config.list_logical_devices()]
    else:
        names = keras.distribution.list_devices()
    return [name for name in names if not name.lower().startswith("cpu")] or names


def mean(gradients: list[Tensor]) -> list[Tensor]:
    """Return the means of TensorFlow's gradients over the devices, to be called within a device's step.

    They can be differentiated again, as looking ahead needs.
    """
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return gradients
    return [context.all_reduce(tf.distribute.ReduceOp.MEAN, gradient) for gradient in gradients]


_KINDS: Mapping[str, Callable[[Sequence[str]], Replicas]] = {"tensorflow": Mirrored, "jax": _DataParallel}
