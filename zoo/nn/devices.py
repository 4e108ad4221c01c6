"""The device that Keras's backend computes on, and how it rounds: set before its first use, and said aloud.

`zoo.core.cards` finds cards and hides them; here the backend is asked what it sees of them.

    memory         TensorFlow takes what it needs instead of all; JAX too, unless the user's variables say otherwise
    float32        factors keep their 24 bits: TF32, which rounds them to 11, is a precision of its own, `tf32`
    deterministic  the same sums in the same order on a card too, see `use`
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import warnings
from collections.abc import Callable
from typing import NamedTuple

import keras

from zoo.core import cards
from zoo.core.errors import UsageError

# The extras that bring CUDA to a backend.
EXTRAS = {"tensorflow": "train-gpu", "jax": "train,jax-gpu", "torch": "train,torch-gpu"}
POLICIES = {"tf32": "float32"}  # precisions that are no policy of Keras's
# The user's words on JAX's memory: one of them, and the zoo says nothing.
JAX_MEMORY = tuple(
    f"XLA_{python}CLIENT_{what}" for python in ("PYTHON_", "") for what in ("PREALLOCATE", "MEM_FRACTION", "ALLOCATOR")
)
JAX_SAME_ORDER = "--xla_gpu_deterministic_ops=true"
COST = {
    "tensorflow": "input and sums run in one order, and an operation without a kernel of fixed order stops the run",
    "jax": "convolutions are not tried out for their fastest kernel, and scatters sum in one order",
    "torch": "convolutions are not tried out for their fastest kernel, and an operation without one stops the run",
}


class Device(NamedTuple):
    """A device of the backend besides the CPU: its name, such as "gpu:0", and that of the hardware."""

    name: str
    hardware: str


def use(device: str | None = None, *, precision: str = "float32", deterministic: bool = False) -> None:
    """Set the backend up for a training. Nothing may have been computed before, but for another call of this.

    On a CPU the same run gives the same bits anyway; on a card only with `deterministic`, and on the same card, driver
    and versions.

    Args:
        device: What `zoo.core.cards.choose` chose: `gpu` or `gpu:1` must be there; None takes what there is.
        precision: `training.precision`; of `tf32` and `float32` the backend must be told.
        deterministic: Choose kernels that sum in a fixed order, which costs speed; a line says how.

    Raises:
        UsageError: A GPU is asked for and the backend sees none; or JAX has computed before it could be told.
    """
    backend = keras.backend.backend()
    if backend in _SETUPS:
        _SETUPS[backend](device, precision == "tf32", deterministic)
    if deterministic:
        say(f"deterministic: {COST.get(backend, 'the backend decides the price')}")
    if device == "cpu" or accelerators():
        return
    if device is not None:
        raise UsageError(f"--device {device}: Keras on {backend} sees no GPU; {_hint(backend)}")
    if cards.cards() and not cards.hidden():
        names = ", ".join(card.name for card in cards.cards())
        say(f"warning: training on the CPU, though there is {names}: {_hint(backend)}. --device cpu takes it quietly")


def accelerators() -> list[Device]:
    """List the devices that the backend computes on besides the CPU.

    Returns:
        Such as [("gpu:0", "NVIDIA T4")]; an empty list where there is only the CPU.
    """
    if (backend := keras.backend.backend()) in _LISTS:
        return _LISTS[backend]()
    names = keras.distribution.list_devices()
    return [Device(name, name.split(":")[0].upper()) for name in names if not name.startswith("cpu")]


def describe() -> str:
    """Describe what computes besides the CPU.

    Returns:
        Words such as "Tesla T4", "2 x Tesla T4", "no GPU", or "GPU not used" where there is a card.
    """
    names = [device.hardware for device in accelerators()]
    if not names:
        return "GPU not used" if cards.cards() else "no GPU"
    counts = {name: names.count(name) for name in names}
    return " and ".join(f"{count} x {name}" if count > 1 else name for name, count in counts.items())


@functools.cache  # each line once in a process
def say(text: str) -> None:
    """Print a line on stderr, the first time only."""
    print(text, file=sys.stderr, flush=True)


def _hint(backend: str) -> str:
    """Return the hint that makes a card usable: the driver's files, or the extra with CUDA."""
    if not cards.cards():
        return "this machine shows no NVIDIA card: no nvidia-smi, no driver"
    if not cards.has_nodes() and sys.platform == "linux":
        return "its device files are missing: start the container with its GPUs (docker run --gpus all)"
    extra = EXTRAS[backend]
    return f"pip install 'gan-zoo[{extra}]' (in a checkout: pip install -e '.[{extra}]')"


def _set_up_tensorflow(device: str | None, tf32: bool, deterministic: bool) -> None:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    with contextlib.suppress(RuntimeError):  # the backend has begun: an earlier call, or the user's own program
        if device == "cpu":
            tf.config.set_visible_devices([], "GPU")  # those too that CUDA does not drive
        for gpu in gpus if device != "cpu" else ():
            tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.experimental.enable_tensor_float_32_execution(tf32)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def _set_up_jax(device: str | None, tf32: bool, deterministic: bool) -> None:
    import jax
    from jax.extend.backend import backends

    if not any(name in os.environ for name in JAX_MEMORY):
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    flags = os.environ.get("XLA_FLAGS", "")
    if deterministic and JAX_SAME_ORDER not in flags:
        from jax._src.xla_bridge import backends_are_initialized  # `backends` would begin them

        if backends_are_initialized() and any(name != "cpu" for name in backends()):
            raise UsageError(f"deterministic: JAX has begun to compute; set XLA_FLAGS={JAX_SAME_ORDER} before it does")
        os.environ["XLA_FLAGS"] = f"{flags} {JAX_SAME_ORDER}".strip()
    jax.config.update("jax_default_matmul_precision", "tensorfloat32" if tf32 else "float32")


def _set_up_torch(device: str | None, tf32: bool, deterministic: bool) -> None:
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS begins
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False


def _list_tensorflow() -> list[Device]:
    import tensorflow as tf

    found = []
    for number, gpu in enumerate(tf.config.get_visible_devices("GPU")):
        details = tf.config.experimental.get_device_details(gpu)
        found.append(Device(f"gpu:{number}", details.get("device_name", "GPU")))
    return found


def _list_jax() -> list[Device]:
    import jax

    with warnings.catch_warnings():  # a plugin that finds no card
        warnings.simplefilter("ignore")
        devices = [device for device in jax.devices() if device.platform != "cpu"]
    return [Device(f"{device.platform}:{device.id}", device.device_kind) for device in devices]


def _list_torch() -> list[Device]:
    import torch

    if not torch.cuda.is_available():
        return []
    return [Device(f"gpu:{n}", torch.cuda.get_device_name(n)) for n in range(torch.cuda.device_count())]


_SETUPS: dict[str, Callable[[str | None, bool, bool], None]] = {
    "tensorflow": _set_up_tensorflow, "jax": _set_up_jax, "torch": _set_up_torch,
}  # fmt: skip
_LISTS: dict[str, Callable[[], list[Device]]] = {
    "tensorflow": _list_tensorflow, "jax": _list_jax, "torch": _list_torch,
}  # fmt: skip
