"""The scores of a card: a table with what others report, and the protocol that makes the numbers comparable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from zoo.card.published import TRIED, aim, published
from zoo.scores import Score


class Kind(NamedTuple):
    """How a metric is written: its title, which way is better, a format."""

    title: str
    better: str
    form: str


KINDS: Mapping[str, Kind] = {  # by stem, in the order of the table
    "fid": Kind("FID", "lower", ".1f"),
    "kid": Kind("KID", "lower", ".4f"),
    "precision": Kind("precision", "higher", ".3f"),
    "recall": Kind("recall", "higher", ".3f"),
    "density": Kind("density", "1", ".3f"),
    "coverage": Kind("coverage", "higher", ".3f"),
    "conditional_accuracy": Kind("the judge sees the class asked for", "higher", ".1%"),
    "judge_frechet": Kind("Frechet distance of the judge's features", "lower", ".2f"),
    "judge_score": Kind("Inception score's formula on the judge's classes", "higher", ".2f"),
    "swd": Kind("sliced Wasserstein distance x 1000", "lower", ".1f"),
    "memorisation": Kind("distance to the nearest training image (unseen real images: 1)", "1", ".2f"),
    "copies": Kind("share that is nearer to a training image than 99 % of unseen real images", "0.01", ".3f"),
    "walk_jump": Kind("largest step of a latent walk over its mean step", "1", ".1f"),
    "modes": Kind("modes found", "higher", ".0f"),
    "high_quality": Kind("samples within 3 standard deviations of a mode", "0.989", ".1%"),
    "reverse_kl": Kind("reverse KL to the even mixture", "lower", ".3f"),
    "l1": Kind("L1 to the unseen partner", "lower", ".3f"),
    "ssim": Kind("SSIM to the unseen partner", "higher", ".3f"),
    "lpips": Kind("LPIPS to the unseen partner", "lower", ".3f"),
    "cycle_l1": Kind("L1 of there and back", "lower", ".3f"),
}
REFERENCES = {  # in a protocol: what gives the number its scale
    "of_the_input": "for the input itself",
    "of_the_real": "for real images",
    "of_two_halves_of_the_real": "for one half of the real images against the other",
}
SPEED = ("ms_per_image", "ms_per_image_of_64")


def stem(name: str) -> str:
    """ "fid_10k" -> "fid", "l1_a_to_b" -> "l1"."""
    return max((key for key in KINDS if name == key or name.startswith(f"{key}_")), key=len, default=name)


def ordered(names: Iterable[str]) -> list[str]:
    """In the order of the table; what it does not know comes last."""
    order = {key: i for i, key in enumerate(KINDS)}
    return sorted((name for name in names if name not in SPEED), key=lambda n: (order.get(stem(n), 99), n))


def written(name: str, value: float) -> str:
    """A value as tables show it."""
    kind = KINDS.get(stem(name))
    return format(value, kind.form if kind else ".4g")


def rounding(name: str) -> float:
    """Half a unit of the last digit that tables show: what rounding may hide."""
    form = KINDS[stem(name)].form if stem(name) in KINDS else ".4f"
    return 0.5 * 10.0 ** -int(form[1]) * (0.01 if form.endswith("%") else 1.0)


def chapter(name: str, scores: Mapping[str, Score], reached: str = "") -> str:
    """The scores of artifact `name`, whose training `reached` so far; empty where nothing was measured."""
    if not ordered(scores):
        return ""
    rows = ["| metric | | better | here | others |", "|---|---|---|---|---|"]
    rows += [_row(name, metric, scores[metric]) for metric in ordered(scores)]
    how = "Measured on the file in this folder (`zoo evaluate`), all of it in [metrics.json](metrics.json)."
    return "\n\n".join(["## Scores", how, "\n".join(rows), *_aims(name, scores, reached), *_protocols(scores)])


def _row(name: str, metric: str, score: Score) -> str:
    kind = KINDS.get(stem(metric))
    title, better = (kind.title, kind.better) if kind else ("", "")
    other = published(metric, score.protocol.get("data", ""), name)
    beside = [other.text] if other else []
    beside += [
        f"{written(metric, score.protocol[key])} {of}" for key, of in REFERENCES.items() if key in score.protocol
    ]
    return f"| `{metric}` | {title} | {better} | {written(metric, score.value)} | {'; '.join(beside)} |"


def _aims(name: str, scores: Mapping[str, Score], reached: str) -> list[str]:
    """Where a target is missed, by how much and what was tried; and where the numbers of others come from."""
    lines = []
    for metric, score in scores.items():
        wanted, other = (find(metric, score.protocol.get("data", ""), name) for find in (aim, published))
        if isinstance(wanted, float):
            off = score.value - wanted
            missed = ", ".join(filter(None, (f"missed by {written(metric, off)}", reached)))
            lines.append(f"Aim of this zoo: `{metric}` of at most {wanted:g}; {'reached' if off <= 0 else missed}.")
            if name in TRIED:
                lines[-1] += f" Tried on the way: {TRIED[name]}."
        if other is not None and not isinstance(other, float):
            lines.append(f"Others: {other.source}: {other.how}.")
    return lines


def _protocols(scores: Mapping[str, Score]) -> list[str]:
    """One sentence for each network that was looked through, and one for the rest."""
    told: dict[str, list[str]] = {}
    for metric in ordered(scores):
        told.setdefault(_sentence(scores[metric].protocol), []).append(f"`{metric}`")
    return ["\n".join(f"* {', '.join(names)}: {sentence}." for sentence, names in told.items())]


def _sentence(about: Mapping[str, Any]) -> str:
    parts = [f"{about['n_fake']:,} samples of seed {about['seed']}"] if "seed" in about else []
    if "walks" in about:
        parts = [f"{about['walks']} walks of {about['frames']} frames, from seed {about['seed']} on"]
    if "n_real" in about:
        parts.append(f"{about['n_real']:,} real images of the {about['split']} split")
    if "input" in about:
        parts.append(about["input"])
    if "network" in about:
        parts.append(f"features of {about['network']} (SHA-256 {about['network_sha256'][:12]}...), resized: "
                     f"{about['resize']}")  # fmt: skip
    chosen = f", the {about['weights']}" if "weights" in about else ""
    return "; ".join([*parts, f"weights of step {about['step']:,}{chosen}"])


def speed(scores: Mapping[str, Score]) -> str:
    """Size and speed in a sentence; empty where nothing was timed."""
    if not all(name in scores for name in SPEED):
        return ""
    one, many = (scores[name] for name in SPEED)
    return (
        f"On {one.protocol['machine']}: {one.value:.3g} ms for one sample on one core, {many.value:.3g} ms each in "
        f"batches of {many.protocol['batch']} on {many.protocol['threads']}."
    )
