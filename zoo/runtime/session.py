"""Sessions of ONNX Runtime over the bytes of an .onnx file: the checks before and after it is opened, and providers.

The runtime imports ONNX Runtime here alone, and only when the first generator is loaded.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from importlib import metadata
from typing import Any

from zoo.artifact.manifest import Manifest
from zoo.artifact.onnx_header import has_external_data
from zoo.artifact.tensor import Tensor
from zoo.core.errors import ServeError

Session = Any  # onnxruntime.InferenceSession: the package ships no types
ONNX_TYPES = {"tensor(float)": "float32", "tensor(int32)": "int32", "tensor(int64)": "int64"}

# Name -> ONNX Runtime's provider and its options. An algorithm for convolutions is chosen by rule: trying them takes
# seconds for every new batch size. TF32 would round factors to 11 bits, a hundred times what parity allows.
PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    "cpu": ("CPUExecutionProvider", {}),
    "cuda": ("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}),
}
GPU_EXTRA = 'uninstall onnxruntime, then `pip install "gan-zoo[gpu]"`'


def open_session(data: bytes, *, source: str, provider: str = "cpu", threads: int | None = None) -> Session:
    """Open the bytes of a self-contained .onnx file.

    Args:
        data: The file.
        source: Its name, with which error messages begin.
        provider: "cpu" or "cuda".
        threads: Cores of one call; None uses all.

    Returns:
        An onnxruntime.InferenceSession on that provider.

    Raises:
        ServeError: ONNX Runtime is missing, the file is damaged or keeps weights in other files, or the provider is not
            available.
    """
    if provider not in PROVIDERS:
        raise ServeError(f"provider must be {' or '.join(PROVIDERS)}, received {provider!r}")
    onnxruntime = import_onnxruntime()
    check_self_contained(data, source=source)
    trouble = _load_cuda(onnxruntime) if provider == "cuda" else ""
    if trouble:  # ONNX Runtime would print it again, on stderr
        onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only: the rest is written to stderr behind Python's back
    if threads is not None:
        options.intra_op_num_threads = threads
    wanted = dict([PROVIDERS[provider], PROVIDERS["cpu"]])  # the CPU does what a GPU has no kernel for
    try:  # without ONNX Runtime's fallback, which prints and goes on with another provider
        session = onnxruntime.InferenceSession(data, options, providers=[*wanted.items()], enable_fallback=0)
    except Exception as error:  # ONNX Runtime's errors share no base class but this one
        raise ServeError(f"{source}: ONNX Runtime cannot load it: {first_line(error)}") from error
    if (obtained := session.get_providers()[0]) != PROVIDERS[provider][0]:
        reason = trouble or f"ONNX Runtime took {obtained}"
        raise ServeError(f'provider "{provider}" is not available: {reason}; {GPU_EXTRA}')
    return session


def _load_cuda(onnxruntime: Any) -> str:
    """Load CUDA's libraries from their Python packages or the system; return what ONNX Runtime reports as missing."""
    name, _ = PROVIDERS["cuda"]
    if name not in (offered := onnxruntime.get_available_providers()):
        reason = f"this ONNX Runtime offers {', '.join(offered)}"
        raise ServeError(f'provider "cuda" is not available: {reason}; {GPU_EXTRA}')
    with contextlib.redirect_stdout(io.StringIO()) as printed:  # it prints what is missing, and carries on
        onnxruntime.preload_dlls(directory="")
    return next(iter(printed.getvalue().splitlines()), "")


def check_self_contained(data: bytes, *, source: str) -> None:
    """Raise ServeError for bytes that are not an ONNX file, and for a model whose weights are in other files."""
    try:
        external = has_external_data(data)
    except ValueError as error:
        raise ServeError(f"{source}: not an ONNX file, or a damaged one ({error})") from error
    if external:
        raise ServeError(f"{source}: keeps weights in other files (external data): not trusted; export it whole")


def check_agreement(session: Session, manifest: Manifest, *, source: str) -> None:
    """Raise ServeError where the inputs and outputs of a model are not those of its manifest: names, types, sizes."""
    for side, found, stated in (
        ("input", session.get_inputs(), manifest.inputs),
        ("output", session.get_outputs(), manifest.outputs),
    ):
        nodes = {node.name: node for node in found}
        if set(nodes) != {tensor.name for tensor in stated}:
            names = ", ".join(tensor.name for tensor in stated)
            raise ServeError(f"{source}: the manifest states {side}s {names}; the model has {', '.join(nodes)}")
        for tensor in stated:
            node = nodes[tensor.name]
            if ONNX_TYPES.get(node.type) != tensor.dtype or not _same_shape(node.shape, tensor):
                raise ServeError(f"{source}: manifest states {side} {tensor}; the model has {node.type} {node.shape}")


def _same_shape(shape: list[int | str | None], tensor: Tensor) -> bool:
    return bool(shape) and not isinstance(shape[0], int) and tuple(shape[1:]) == tensor.shape[1:]


def import_onnxruntime() -> Any:
    """Import onnxruntime; raise ServeError where it is missing, warn where two distributions share its folder."""
    try:
        import onnxruntime  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        if isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):  # Ctrl-C while its C++ part starts
            raise KeyboardInterrupt from error
        hint = 'install it with `pip install "gan-zoo[cpu]"`, or "gan-zoo[gpu]" for NVIDIA'
        raise ServeError(f"ONNX Runtime cannot be imported ({first_line(error)}); {hint}") from error
    if not hasattr(onnxruntime, "InferenceSession"):
        hint = 'uninstall onnxruntime and onnxruntime-gpu, then `pip install "gan-zoo[cpu]"` or "gan-zoo[gpu]"'
        raise ServeError(f"ONNX Runtime is half installed, one of its distributions was removed: {hint}")
    if _is_installed("onnxruntime") and _is_installed("onnxruntime-gpu"):
        clash = "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files: CUDA may be gone"
        warnings.warn(f"{clash}. Uninstall both, then install one of them", stacklevel=2)
    return onnxruntime


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or the name of its class where it has no text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
