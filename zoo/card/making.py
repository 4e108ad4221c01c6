"""How a model was made: recipe, time, machine, the film of its training and its curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.manifest import Manifest

if TYPE_CHECKING:
    from zoo.spec import Spec  # which needs YAML


def chapter(networks: Sequence[Manifest], folder: Path) -> str:
    """In numbers and pictures."""
    facts = networks[0]
    weights, run = facts.weights, facts.training
    half_life = weights["ema_half_life_images"]
    kind = f"average of the weights (half-life {half_life:,.0f} images)" if half_life else "last weights"
    steps, images = run.get("steps", weights["step"]), run.get("images", weights["images"])  # of the whole run
    pace, norm = images / max(run["seconds"], 1), weights["batch_norm"]
    if "kept" in run:
        kind += (
            f", as they were after step {weights['step']:,}: the {run['kept']} ({run['value']:.4g}; {run['metric']})"
        )
    statistics = f"; batch norm statistics: {norm}" if norm else ""
    sizes = f"{weights['parameters']:,} parameters"
    if len(networks) > 1:
        sizes = ", ".join(f"{one.weights['parameters']:,} parameters in {one.file}" for one in networks)
    items = "images" if facts.outputs[0].is_image else "points"
    text = f"""## How it was made

`zoo build exported/{facts.name}/spec.yaml --steps {steps} --budget {_hours(run["seconds"])} --out mine` makes one like
it (the same seed gives the same draws, but processors round differently): {steps:,} steps, {images:,} real
{items} shown, {_time(run["seconds"])} on {run["machine"]} ({pace:,.0f} {items}/s), seed {weights["seed"]}.
Exported: the {kind}{statistics}. {sizes}.
Made with {", ".join(f"{name} {version}" for name, version in facts.versions.items())}.
SHA-256 of the recipe's content: `{facts.spec_sha256[:16]}...`."""
    curves = ["![losses during the training](curves.png)"] if (folder / "curves.png").is_file() else []
    return "\n\n".join([text, *_films(networks), *curves])


def reached(facts: Manifest, spec: Spec) -> str:
    """How much of its recipe the model has had."""
    training, step = spec.sections.training, facts.weights["step"]
    return f"after {step:,} of the {training.steps:,} steps of the recipe" if training else ""


def film(facts: Manifest) -> str:
    """The name of the film of a network's training in the artifact's folder; `files` states it where there is one."""
    return f"film_{facts.network}.png" if facts.network else "film.png"


def _films(networks: Sequence[Manifest]) -> list[str]:
    lines = []
    for facts in networks:
        if film(facts) in facts.files:
            given = "images" if any(tensor.is_image for tensor in facts.inputs) else "latents"
            what = f"what {facts.network or 'the generator'} made of the same {given}, step after step of its training"
            lines.append(f"![{what}]({film(facts)})")
    return lines


def _hours(seconds: float) -> str:
    """Enough to make as many steps again, on a machine of half the speed too."""
    return f"{math.ceil(2 * seconds / 3600)}h"


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
