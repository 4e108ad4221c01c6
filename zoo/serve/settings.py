"""What the server takes on, and how long it tries: all limits in one place, with defaults that a laptop bears."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from zoo.core.errors import UsageError
from zoo.core.host import cores
from zoo.core.registry import suggest

MIB = 2**20


@dataclass(frozen=True)
class Settings:
    """Limits of the server; sizes in bytes, times in seconds. `zoo serve --set NAME=VALUE` changes one.

    `workers` calls of ONNX Runtime run at a time, each on `threads` cores: several small calls beside each other cost
    less than one call that all cores share, most of all where other programs want the cores too.
    """

    # what one request may ask for
    max_body_bytes: int = 16 * MIB  # after unpacking
    max_json_bytes: int = 8 * MIB  # JSON is read in one go, and nothing else moves meanwhile
    max_json_numbers: int = 2**20  # in an answer
    max_rows: int = 32_768  # of one inference request
    max_pixels: int = 1024 * 1024  # height x width of an image to translate
    max_images: int = 1024  # of /sample
    max_frames: int = 240  # of /walk
    # what all requests together may ask for
    max_requests: int = 512  # under way; the next one is answered 503
    max_memory_bytes: int = 1024 * MIB  # of bodies and answers
    max_connections: int = 2000
    # how work is put together
    max_batch: int = 64
    max_delay_seconds: float = 0.002  # that a request waits for company while another batch runs
    slice_seconds: float = 0.1  # that one call of ONNX Runtime may take: larger requests are cut, others go between
    workers: int = field(default_factory=cores)
    threads: int = 1
    provider: str = "cpu"
    precision: str = "float32"
    # patience
    request_seconds: float = 30.0
    body_seconds: float = 20.0
    header_seconds: float = 10.0  # of silence, up to twice that, until a connection is closed
    send_seconds: float = 30.0  # for each piece of an answer that the client takes
    stop_seconds: int = 30  # for what is in flight when the server is told to stop
    reload_seconds: float = 2.0  # between two looks at the folder
    origin: str = ""  # of the web pages that may ask besides our own, such as https://app.example; * for all
    api_key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, int | float) and not 0 < value < float("inf"):
                raise UsageError(f"{one.name} must be above 0, received {value!r}")

    def changed(self, changes: Iterable[str]) -> Settings:
        """With `["max_batch=32", ...]`. Raises UsageError for what is no setting, or not of its kind."""
        return replace(self, **_parsed(changes))


def _parsed(changes: Iterable[str]) -> Mapping[str, Any]:
    kinds = {one.name: one.type for one in fields(Settings) if one.name != "api_key"}  # not where `ps` shows it
    parsed: dict[str, Any] = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals or name not in kinds:
            raise UsageError(f"--set: there is no setting '{name}'.{suggest(name, kinds)} Settings: {', '.join(kinds)}")
        try:
            parsed[name] = {"int": int, "float": float, "str": str}[str(kinds[name])](text)
        except ValueError as error:
            kind = {"int": "a whole number", "float": "a number"}[str(kinds[name])]
            raise UsageError(f"--set {name}: expected {kind}, received '{text}'") from error
    return parsed
