"""Tables of all artifacts of a folder: for its gallery, and between marks of any other Markdown file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from zoo import manifest, scores
from zoo.card import numbers, seeds
from zoo.card.published import aim, published
from zoo.errors import UsageError
from zoo.loading import artifacts
from zoo.manifest import Manifest
from zoo.scores import Score

FID = "fid_10k"
BESIDES = (("high_quality", "modes"), ("ssim",), ("conditional_accuracy", "precision", "recall"))
SHORT = {  # where the title of a metric is too long for a table
    "conditional_accuracy": "right class", "high_quality": "high quality", "ssim": "SSIM to the unseen partner",
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """An artifact, what it says of itself, its scores, and how to get there from the page with the table."""

    path: Path
    networks: Sequence[Manifest]
    measured: Mapping[str, Score]
    way: str

    @property
    def facts(self) -> Manifest:
        """What all its networks share."""
        return self.networks[0]


def _model(entry: Entry) -> str:
    return f"[{entry.path.name}]({entry.way}/README.md)"


def _picture(entry: Entry) -> str:
    return f'<img src="{entry.way}/samples.png" width="112" alt="samples of {entry.path.name}">'


def _paper(entry: Entry) -> str:
    paper = entry.facts.paper
    if not paper:
        return ""
    authors = paper["authors"].split(", ")
    return f"{', '.join(authors) if len(authors) < 3 else f'{authors[0]} et al.'} {paper['year']}"


def _fid(entry: Entry) -> str:
    """Of the file; of all seeds too where several were tried."""
    if FID not in entry.measured:
        return ""
    tried = [trial.scores[FID] for trial in seeds.read(entry.path) if FID in trial.scores]
    spread = ""
    if len(tried) > 1:
        mean, sd = (numbers.written(FID, x) for x in (fmean(tried), stdev(tried)))
        spread = f" ({mean} +- {sd} over {len(tried)} seeds)"
    return f"**{numbers.written(FID, entry.measured[FID].value)}**{spread}"


def _published(entry: Entry) -> str:
    other = published(FID, entry.facts.data["title"], entry.facts.name) if FID in entry.measured else None
    return other.text if other else ""


def _aim(entry: Entry) -> str:
    wanted = aim(FID, entry.facts.data["title"], entry.facts.name)
    if wanted is None or FID not in entry.measured:
        return ""
    off = entry.measured[FID].value - wanted
    return f"{wanted:g}, {'reached' if off <= 0 else f'missed by {numbers.written(FID, off)}'}"


def _besides(entry: Entry) -> str:
    """The scores that say most for such a model."""
    for stems in BESIDES:
        found = [name for name in numbers.ordered(entry.measured) if numbers.stem(name) in stems]
        if found:
            values: dict[str, list[str]] = {}
            for name in found:
                title = SHORT.get(numbers.stem(name), numbers.KINDS[numbers.stem(name)].title)
                values.setdefault(title, []).append(_with_reference(name, entry.measured[name]))
            return ", ".join(f"{title} {' and '.join(several)}" for title, several in values.items())
    return ""


def _with_reference(name: str, score: Score) -> str:
    """A translation is worth what it gains over doing nothing."""
    idle = score.protocol.get("of_the_input")
    return numbers.written(name, score.value) + (f" (doing nothing: {numbers.written(name, idle)})" if idle else "")


def _trained(entry: Entry) -> str:
    run, weights = entry.facts.training, entry.facts.weights
    images, minutes = run.get("images", weights["images"]), run["seconds"] / 60
    return f"{entry.facts.data['title']}, {images:,} images, {minutes:.0f} minutes"


def _parameters(entry: Entry) -> str:
    return " + ".join(f"{one.weights['parameters']:,}" for one in entry.networks)


def _size(entry: Entry) -> str:
    return f"{sum((entry.path / one.file).stat().st_size for one in entry.networks) / 1e6:.1f} MB"


def _difference(entry: Entry) -> str:
    return f"{max(one.parity['max_abs_difference'] for one in entry.networks):.1e}"


def _pace(entry: Entry) -> str:
    pace = entry.measured.get("ms_per_image")
    return f"{pace.value:.2g} ms" if pace else ""


COLUMNS: Mapping[str, Callable[[Entry], str]] = {
    "model": _model, "samples": _picture, "paper": _paper, "FID": _fid, "published": _published, "aimed at": _aim,
    "besides": _besides, "trained on": _trained, "parameters of G": _parameters, "ONNX file": _size,
    "largest difference to Keras": _difference, "one image": _pace,
}  # fmt: skip
TABLES: Mapping[str, Sequence[str]] = {
    "gallery": ("samples", "model", "paper", "FID", "published", "aimed at", "besides", "parameters of G", "ONNX file",
                "one image"),
    "scores": ("model", "paper", "FID", "published", "aimed at", "besides"),
    "models": ("model", "trained on", "parameters of G", "ONNX file", "one image", "largest difference to Keras"),
}  # fmt: skip


def table(folder: Path, name: str, *, way: str = "") -> str:
    """One of `TABLES` for the artifacts of a folder, to which `way` leads from the page."""
    columns = TABLES[name]
    entries = [
        Entry(path, manifest.read_all(path), scores.read(path), f"{way}{path.name}") for path in artifacts(folder)
    ]
    rows = [[COLUMNS[column](entry) for column in columns] for entry in entries]
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def renew(text: str, folder: Path, *, way: str) -> str:
    """`text` with every table between `<!-- zoo: NAME -->` and `<!-- zoo -->` made anew. Raises UsageError."""

    def anew(found: re.Match[str]) -> str:
        name = found[1]
        if name not in TABLES:
            raise UsageError(f"<!-- zoo: {name} -->: there is no such table. Known: {', '.join(TABLES)}")
        return f"<!-- zoo: {name} -->\n{table(folder, name, way=way)}\n<!-- zoo -->"

    renewed, count = re.subn(r"<!-- zoo: (\S+) -->\n(?:(?!<!-- zoo).*\n)*<!-- zoo -->", anew, text)
    if not count:
        raise UsageError(f"no table to renew: put <!-- zoo: {next(iter(TABLES))} --> and <!-- zoo --> on two lines")
    return renewed
