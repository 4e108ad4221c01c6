"""Sessions of ONNX Runtime over the bytes of an .onnx file: the checks before and after it is opened, and providers.

The zoo imports ONNX Runtime here alone, and only when the first network is loaded: without its telemetry, which on
Linux writes a device id and a database into the user's cache folder.

A session does not survive a fork: its threads are not in the child, which would wait for them for ever or crash. So the
child abandons what it inherits, and opens the file again when it uses the session.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import io
import os
import warnings
import weakref
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from zoo.artifact.manifest import Manifest
from zoo.artifact.onnx_header import has_external_data
from zoo.artifact.tensor import Tensor
from zoo.core.errors import ServeError

ONNX_TYPES = {"tensor(float)": "float32", "tensor(int32)": "int32", "tensor(int64)": "int64"}

# Name -> ONNX Runtime's provider and its options. An algorithm for convolutions is chosen by rule: trying them takes
# seconds for every new batch size. TF32 would round factors to 11 bits, a hundred times what parity allows.
PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    "cpu": ("CPUExecutionProvider", {}),
    "cuda": ("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}),
}
GPU_EXTRA = (
    'uninstall onnxruntime, then `pip install "gan-zoo[gpu]"` brings CUDA 13; TensorFlow needs CUDA 12: train '
    'in another environment, by "gan-zoo[train-gpu]"'
)


class Session:
    """An opened network. After a fork, a pickle or a deep copy it opens its file or bytes again at the next call."""

    def __init__(
        self, content: bytes | Path, sha256: str, source: str, provider: str, threads: int | None, opened: Any = None
    ) -> None:
        """`content` is what is opened again: the bytes, or the absolute path of a file whose SHA-256 is checked."""
        self._content, self._sha256, self._opened = content, sha256, opened
        self._options = (source, provider, threads)
        _SESSIONS.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return Session, (self._content, self._sha256, *self._options)

    def __getattr__(self, name: str) -> Any:
        """Return `run`, `get_inputs` and every other member of onnxruntime.InferenceSession."""
        if name.startswith("_"):  # of a half-made copy
            raise AttributeError(name)
        return getattr(self.opened(), name)

    def opened(self) -> Any:
        """Return ONNX Runtime's own session. Raises ServeError where the file is not what it was."""
        if self._opened is None:
            self._opened = _open(self._read(), *self._options)
        return self._opened

    def run(self, outputs: Sequence[str] | None, feed: Mapping[str, Any]) -> Any:
        """Compute the named outputs, or all, in the order of the names."""
        return self.opened().run(outputs, feed)

    def _read(self) -> bytes:
        if isinstance(self._content, bytes):
            return self._content
        try:
            data = self._content.read_bytes()
        except OSError as error:
            raise ServeError(f"{self._content}: cannot be read again: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != self._sha256:
            raise ServeError(f"{self._content}: changed since it was loaded: load it again")
        return data

    def abandon(self) -> None:
        """Let go of an inherited session without ending it: its destructor would wait for threads that do not exist."""
        if self._opened is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._opened))
            self._opened = None


_SESSIONS: weakref.WeakSet[Session] = weakref.WeakSet()


def _abandon_all() -> None:
    for session in [*_SESSIONS]:
        session.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)


def open_session(
    data: bytes, *, source: str, provider: str = "cpu", threads: int | None = None, file: Path | None = None
) -> Session:
    """Open the bytes of a self-contained .onnx file.

    Args:
        data: The file.
        source: Its name, with which error messages begin.
        provider: "cpu" or "cuda".
        threads: Cores of one call; None uses all.
        file: Where the bytes were read from: copies and forked processes read them there again. None keeps the bytes.

    Returns:
        A session on that provider, with the methods of onnxruntime.InferenceSession.

    Raises:
        ServeError: ONNX Runtime is missing, the file is damaged or keeps weights in other files, or the provider is not
            available.
    """
    opened = _open(data, source, provider, threads)
    content = data if file is None else file.absolute()
    return Session(content, hashlib.sha256(data).hexdigest(), source, provider, threads, opened)


def _open(data: bytes, source: str, provider: str, threads: int | None) -> Any:
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
    """Import onnxruntime with its telemetry off, unless the user has set ORT_DISABLE_TELEMETRY.

    Returns:
        The module. It warns where two distributions share its folder.

    Raises:
        ServeError: It is missing, or half installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when its library is loaded
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
