"""How long the file takes on this machine: no score, but what a user asks next."""

from __future__ import annotations

import statistics
import time
from importlib import metadata
from typing import Any

import zoo
from zoo import machine
from zoo.evaluation.subject import Subject
from zoo.inputs import Inputs

CALLS = 50


def seconds(subject: Subject, *, batch: int, threads: int) -> float:
    """The median time of a call with `batch` images on `threads` cores."""
    generator = zoo.load(subject.folder, network=subject.facts.network or None, threads=threads)
    translates = subject.kind == "translations"
    feed = Inputs(subject.facts).zeros(batch) if translates else generator.latents(batch, subject.seed)
    generator(**feed)
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        generator(**feed)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def provenance(threads: int) -> dict[str, Any]:
    """What it was measured on."""
    packages = ("onnxruntime", "onnxruntime-gpu")
    versions = {d.metadata["Name"]: d.version for d in metadata.distributions() if d.metadata["Name"] in packages}
    return {
        "machine": machine.described(),
        "threads": threads,
        "provider": "CPU",
        **versions,
    }
