"""All limits of the server in one place, with defaults that a laptop can bear."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any

from zoo.core.errors import UsageError
from zoo.core.host import cores
from zoo.core.registry import suggest

MIB = 2**20


@dataclass(frozen=True)
class Settings:
    """Limits of the server; `zoo serve --set NAME=VALUE` changes one.

    At most `workers` calls of ONNX Runtime run at a time, each on `threads` cores: several small calls side by side
    cost less than one call that shares all cores, most of all on a machine with other work.

    Raises:
        UsageError: A number that is not above 0, or not finite.
    """

    # Limits of one request
    max_body_bytes: int = 16 * MIB  # bytes of a body, also after unpacking
    max_json_bytes: int = 8 * MIB  # bytes of JSON, which is parsed in one go and holds up everything else meanwhile
    max_json_numbers: int = 2**20  # numbers in an answer as JSON
    max_rows: int = 32_768  # rows of an inference request
    max_pixels: int = 1024 * 1024  # pixels (height x width) of an image to translate
    max_images: int = 1024  # images of one /sample
    max_frames: int = 240  # frames of one /walk
    # Limits of all requests together
    max_requests: int = 512  # requests under way; the next one is answered 503
    max_memory_bytes: int = 1024 * MIB  # bytes of bodies and answers in memory
    max_connections: int = 2000  # open connections; the next one is answered 503
    # Batching
    max_batch: int = 64  # rows of one call of ONNX Runtime
    max_delay_seconds: float = 0.002  # seconds that a request waits for others to share its batch
    slice_seconds: float = 0.1  # seconds of one call of ONNX Runtime: longer requests are cut, others run in between
    workers: int = field(default_factory=cores)  # calls of ONNX Runtime at a time
    threads: int = 1  # cores of one call
    provider: str = "cpu"  # execution provider of ONNX Runtime: cpu or cuda
    precision: str = "float32"  # .onnx file of the artifact: float32, or a variant such as fp16
    # Timeouts
    request_seconds: float = 30.0  # seconds until a request is answered 504
    body_seconds: float = 20.0  # seconds for a body to arrive
    header_seconds: float = 10.0  # seconds of silence, at most twice that, until a connection is closed
    send_seconds: float = 30.0  # seconds for the client to take each piece (256 KiB) of an answer
    stop_seconds: int = 30  # seconds for requests under way when the server is stopped
    reload_seconds: float = 2.0  # seconds between two looks at the folder
    # Access
    origin: str = ""  # origin of other web pages that may send requests, such as https://app.example; * for all
    api_key: str = field(default="", repr=False)  # the key that clients must send; an empty string: no key

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, int | float) and not 0 < value < float("inf"):
                raise UsageError(f"{one.name} must be above 0, received {value!r}")

    def changed(self, changes: Iterable[str]) -> Settings:
        """Return a copy with other values.

        Args:
            changes: "NAME=VALUE" each, such as "max_batch=32".

        Returns:
            The new settings.

        Raises:
            UsageError: An unknown name, a value of the wrong type, or a number that is not above 0.
        """
        types = {one.name: str(one.type) for one in fields(self) if one.name != "api_key"}  # `ps` would show the key
        parsed: dict[str, Any] = {}
        for change in changes:
            name, equals, text = change.partition("=")
            if not equals:
                raise UsageError(f"--set: expected NAME=VALUE, received '{change}'")
            if name not in types:
                known = ", ".join(types)
                raise UsageError(f"--set: there is no setting '{name}'.{suggest(name, types)} Settings: {known}")
            try:
                parsed[name] = {"int": int, "float": float, "str": str}[types[name]](text)
            except ValueError as error:
                expected = {"int": "a whole number", "float": "a number"}[types[name]]
                raise UsageError(f"--set {name}: expected {expected}, received '{text}'") from error
        return replace(self, **parsed)
