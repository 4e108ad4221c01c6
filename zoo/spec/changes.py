"""Which changes of a spec make another run of it: those that change its weights, not its length or its words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from zoo.spec.model import Training

# how long a run is, what is shown of it, and how it leaves
FREE_KNOBS = ("steps", "budget", "picture_every_steps", "checkpoint_every_seconds", "evaluate", "xla")
FREE_SECTIONS = ("title", "about", "paper", "deviations", "training", "export", "spec_version")

# a knob that is left out and one that states its default are the same run
DEFAULTS = {f.name: f.default for f in dataclasses.fields(Training) if f.default is not dataclasses.MISSING}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The sections, and the training knobs as `training.seed`, that make two spec documents different runs."""
    sections = [
        key for key in sorted(old.keys() | new.keys()) if key not in FREE_SECTIONS and old.get(key) != new.get(key)
    ]
    a, b = ({**DEFAULTS, **(document.get("training") or {})} for document in (old, new))
    knobs = [f"training.{k}" for k in sorted(a.keys() | b.keys()) if k not in FREE_KNOBS and a.get(k) != b.get(k)]
    return sections + knobs
