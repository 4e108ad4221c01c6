"""The scalars that a training has logged, read from TensorBoard's event files."""

from __future__ import annotations

import re
from pathlib import Path

from zoo.train.callbacks import BEGUN

Scalars = dict[str, dict[int, float]]  # tag -> step -> value


def read_scalars(folder: Path, until: int) -> Scalars:
    """Read all scalars of a run.

    A later file begins where the run was resumed: what earlier files hold of later steps is of weights that were lost.

    Args:
        folder: The folder of the event files.
        until: The last step to read.

    Returns:
        The value of each tag at each step at which it was logged.
    """
    found: Scalars = {}
    for file in sorted(folder.glob("events.out.tfevents.*"), key=_begun):
        part = _read_events(file)
        stated = part.pop(BEGUN, {})  # files of earlier versions do not state it: they begin before their first number
        first = min(stated, default=min((step - 1 for line in part.values() for step in line), default=until))
        for tag in found:
            found[tag] = {step: value for step, value in found[tag].items() if step <= first}
        for tag, line in part.items():
            found[tag] = {**found.get(tag, {}), **{step: value for step, value in line.items() if step <= until}}
    return found


def _begun(file: Path) -> tuple[int, int, str]:
    """When an event file was begun, as a key to sort by: events.out.tfevents.<seconds>.<host>.<process>.<number>."""
    seconds, number = re.match(r"events\.out\.tfevents\.(\d*)", file.name), re.search(r"(\d+)$", file.name)
    return int((seconds and seconds[1]) or 0), int(number[1] if number else 0), file.name


def _read_events(file: Path) -> Scalars:
    """All scalars of one event file; one whose end was never written is read as far as it goes."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(file), size_guidance={"tensors": 0}).Reload()  # 0: all, not a sample
    return {
        tag: {event.step: float(make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)}
        for tag in events.Tags()["tensors"]
    }
