"""How long the file takes on this machine: no score, but what a user asks next."""

from __future__ import annotations

import statistics
import time
from importlib import metadata
from typing import Any

import numpy as np

import zoo
from zoo import machine
from zoo.evaluation.subject import Subject

CALLS = 50


def seconds(subject: Subject, *, batch: int, threads: int) -> float:
    """The median time of a call with `batch` images on `threads` cores."""
    network = subject.facts.network
    generator = zoo.load(subject.folder, network=network or None, threads=threads)
    feed: dict[str, Any] = {}
    for tensor in generator.inputs.values():
        if tensor.is_image:  # a translator: an image of the size that it was trained with
            feed[tensor.name] = np.zeros((batch, *subject.real().parts["a"].items.shape[1:]), np.float32)
    feed = feed or dict(generator.latents(batch, subject.seed))
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
        "machine": f"{machine.cpu()}, {machine.processor()}",
        "threads": threads,
        "provider": "CPU",
        **versions,
    }
