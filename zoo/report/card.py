"""The model card: README.md of an artifact, with the front matter of model hubs.

Every number of ours in it stands in a file beside it: the manifest, metrics.json, seeds.json, the results of claims;
those of others and our aims are in published.json.

    write_card(folder)   from all files of the folder, with game.svg, the drawing of the game that was played
    markdown(...)        the text alone: front matter, then chapter by chapter
    tensor_table(...)    inputs, outputs and parity of one network, from its manifest alone
"""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.artifact.claim_results import Result, read_claims
from zoo.artifact.manifest import Manifest
from zoo.artifact.scores import Score, read_seeds
from zoo.artifact.tensor import Tensor
from zoo.core.files import write_whole
from zoo.data.folder_reader import counts_text
from zoo.evaluate.measures import ordered
from zoo.report.records import located, networks_of, scores_of
from zoo.report.score_table import scores_chapter, seeds_chapter, speed_sentence
from zoo.report.usage import usage_chapter
from zoo.runtime.cells import drawn_shape

if TYPE_CHECKING:
    from zoo.spec.read import Spec


CARD_FILE, GAME_FILE = "README.md", "game.svg"
OPENVINO = """OpenVINO computes in bfloat16 on processors that have it, unless it is asked for these numbers:
`core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})`."""
OWN_IMAGES = ("folder", "folders")  # data sources that no hub knows
UNKNOWN = "unknown"  # the licence of a spec that states none


def write_card(folder: Path, *, place: Path | None = None) -> Path:
    """Write the card of an artifact anew, and the drawing of its game beside it.

    Args:
        folder: of the artifact.
        place: The folder that the examples in it name, where it is another one than `folder`.

    Returns:
        The path of its README.md.

    Raises:
        SpecError: for a spec.yaml that is not readable.
        ServeError: for a manifest, scores, seeds or claims that are not readable.
    """
    from zoo.spec.read import read_spec

    with located(folder):
        spec = read_spec(folder / "spec.yaml")
        write_game(spec, folder)
        text = markdown(networks_of(folder), spec, folder, place=place)
    return write_whole(folder / CARD_FILE, text.encode())


def write_game(spec: Spec, folder: Path) -> None:
    """Draw the game of a spec into a folder, as game.svg; a spec without an algorithm has none.

    Args:
        spec: The spec.
        folder: of its artifact.
    """
    from zoo.spec.game_drawing import game_svg
    from zoo.spec.game_expansion import described_game

    game = described_game(spec)
    if game is not None:
        write_whole(folder / GAME_FILE, game_svg(game, spec.plans, spec.sections.title).encode())


def markdown(manifest: Manifest | Sequence[Manifest], spec: Spec, folder: Path, *, place: Path | None = None) -> str:
    """Write the text of a card.

    Args:
        manifest: of one network, or of all networks of the artifact.
        spec: that it was trained by.
        folder: of the artifact, for scores, seeds, claims and pictures.
        place: The folder that the examples name, where it is another one than `folder`.

    Returns:
        Markdown with front matter.
    """
    here = _place(place or folder)
    networks = [manifest] if isinstance(manifest, Manifest) else list(manifest)
    first, claims, measured = networks[0], read_claims(folder), scores_of(folder)
    chapters = [
        _front(first, measured),
        _what(networks, spec),
        scores_chapter(first.name, measured, reached(first, spec)),
        seeds_chapter(first.name, read_seeds(folder)),
        usage_chapter(networks, here),
        contract_chapter(networks),
        _seen(folder),
        _purpose(first, measured),
        making_chapter(networks, folder, here),
        claims_chapter(claims) if claims else "",
        _data(first),
    ]
    return "\n\n".join(chapter for chapter in chapters if chapter) + "\n"


def _place(folder: Path) -> str:
    """Return the path of a folder below the working directory; of another one its whole path."""
    path = Path(os.path.abspath(folder))
    return (path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path).as_posix()


def _front(manifest: Manifest, measured: Mapping[str, Score]) -> str:
    """Write the front matter that the Hugging Face hub reads, each value as JSON, which is YAML whatever the words."""
    translates = manifest.kind == "translation"
    image = manifest.outputs[0].is_image
    matter: dict[str, Any] = {
        "license": manifest.licence.lower(),
        "library_name": "onnxruntime",
        "tags": ["gan", "onnx", "keras", manifest.name],
    }
    matter |= {} if manifest.data["name"] in OWN_IMAGES else {"datasets": [manifest.data["name"]]}
    if image:
        asked = any(tensor.classes for tensor in manifest.inputs)
        drawn = "image-generation" if asked else "unconditional-image-generation"
        task = "image-to-image" if translates else "text-to-image" if manifest.vocabularies else drawn
        matter |= {} if asked else {"pipeline_tag": task}  # hubs have no task for images of a class
        matter |= {"model-index": [_index(manifest, measured, task)]} if measured else {}
    return "\n".join(["---", *(f"{key}: {json.dumps(value)}" for key, value in matter.items()), "---"])


def _index(manifest: Manifest, measured: Mapping[str, Score], task: str) -> dict[str, Any]:
    metrics = [{"type": name, "value": measured[name].value} for name in ordered(measured)]
    data = {"name": manifest.data["title"], "type": manifest.data["name"]}
    return {"name": manifest.title, "results": [{"task": {"type": task}, "dataset": data, "metrics": metrics}]}


def _what(networks: Sequence[Manifest], spec: Spec) -> str:
    manifest, paper = networks[0], spec.sections.paper
    shown = manifest.training.get("shown")
    caption = f"images of the {shown} split, each with its translation" if shown else "samples of seed 0"
    title = spec.sections.title if len(networks) > 1 else manifest.title  # several networks have a title each
    lines = [f"# {title}", f"![{caption}](samples.png)", spec.sections.about]
    if paper:
        where = f", [arXiv {paper.arxiv}](https://arxiv.org/abs/{paper.arxiv})" if paper.arxiv else ""
        lines.append(f"Paper: {paper.authors}, *{paper.title}*, {paper.year}{where}.")
    if spec.sections.deviations:
        lines.append(
            "Where this model differs from the paper:\n\n"
            + "\n".join(f"* {' '.join(d.split())}" for d in spec.sections.deviations)
        )
    return "\n\n".join(line for line in lines if line)


def _seen(folder: Path) -> str:
    """Write the chapter of the pictures that `zoo report` draws, where they exist."""
    shown = {
        "walk.webp": "A walk through the latents and back, the same for all columns",
        "neighbours.png": "On the left a sample, beside it the training images that are nearest to it",
    }
    found = [f"{text}:\n\n![{text}]({name})" for name, text in shown.items() if (folder / name).is_file()]
    return "\n\n".join(["## Look closer", *found]) if found else ""


def _purpose(manifest: Manifest, measured: Mapping[str, Score]) -> str:
    """Write what the model is for, and its limits."""
    what, size = manifest.data["title"], drawn_shape(manifest)
    what = "the user's own images" if manifest.data["name"] in OWN_IMAGES else what
    kind = f"images of {size[0]} x {size[1]} pixels" if manifest.outputs[0].is_image else "points in the plane"
    if manifest.kind == "translation":
        kind = "translations of images like those it was trained with"
    return "\n\n".join(
        line
        for line in (
            "## What it is for",
            "Teaching, research baselines, placeholder pictures, tests of programs that load generators. It makes "
            f"{kind}, learnt from {what} alone: what is rare there is rarer here, and nothing else can come out. Do "
            "not treat its output as data about the world, and do not use it to judge people.",
            speed_sentence(measured),
        )
        if line
    )


def _data(manifest: Manifest) -> str:
    data = manifest.data
    home = f" ({data['homepage']})" if data["homepage"] else ""
    source = f"{data['title']}{home}, {data['licence']}." + (f" {data['citation']}." if data["citation"] else "")
    if data["name"] in OWN_IMAGES:
        source = f"The user's own images{_counts(data)}; what may be done with them is for their owner to say."
    licence = manifest.licence if manifest.licence != UNKNOWN else "no licence is stated"
    return f"## Data and licence\n\n{source} The weights: {licence}."


def _counts(data: Mapping[str, Any]) -> str:
    """Return the numbers of images that were read and of files that were left out, as far as the manifest has them."""
    counts = data.get("counts") or {}
    each = {"": counts} if "images" in counts else {f"{name}: ": counts[name] for name in sorted(counts)}
    texts = [f"{name}{counts_text(one)}" for name, one in each.items()]
    return f" ({'; '.join(texts)})" if texts else ""


def contract_chapter(networks: Sequence[Manifest]) -> str:
    """Write the chapter of inputs and outputs, a table for each network."""
    tables = [tensor_table(manifest) for manifest in networks]
    if len(networks) > 1:
        tables = [f"### {manifest.file}\n\n{table}" for manifest, table in zip(networks, tables, strict=True)]
    return "\n\n".join(["## What goes in, what comes out", *tables, OPENVINO])


def tensor_table(manifest: Manifest) -> str:
    """Write the inputs and outputs of a network, its difference to Keras and its variants.

    Args:
        manifest: of the network.

    Returns:
        A Markdown table, and paragraphs.
    """
    rows = ["| tensor | dtype | shape | drawn from | range |", "|---|---|---|---|---|"]
    for tensor in (*manifest.inputs, *manifest.outputs):
        shape = ", ".join(map(str, tensor.shape))
        limits = f"[{tensor.range[0]:g}, {tensor.range[1]:g}]" if tensor.range else ""
        limits += f", {tensor.channels}" if tensor.channels else ""
        rows.append(f"| `{tensor.name}` | {tensor.dtype} | [{shape}] | {_drawn(tensor)} | {limits} |")
    return "\n".join([*rows, *_sizes(manifest)]) + (_parity(manifest) if manifest.parity else "") + _variants(manifest)


def _sizes(manifest: Manifest) -> list[str]:
    tensor = next((tensor for tensor in manifest.inputs if tensor.sizes), None)
    if tensor is None or tensor.sizes is None:
        return []
    trained = " x ".join(str(rule["trained"]) for rule in tensor.sizes.values())
    if tensor.prior:
        return ["", _world(manifest, trained)]
    return ["", f"Images of any size: {tensor.rule().removeprefix(', ')}. It was trained at {trained}."]


def _world(manifest: Manifest, trained: str) -> str:
    """Write how a larger map of latents draws a larger picture."""
    grid, (height, width, *_) = manifest.outputs[0].grid or {}, drawn_shape(manifest)
    larger = 4 * height - 3 * grid["offset"][0], 6 * width - 5 * grid["offset"][1]  # of 4 and of 6 times the cells
    text = (
        f"It was trained with a map of {trained} latents, {height} x {width} pixels. A larger map draws a larger "
        f"picture: `zoo.load(...).sized({larger[0]}, {larger[1]})`."
    )
    if grid["margin"] is None:
        return text
    return (
        f"{text} `window(top, left, height, width)` returns a piece of one picture that has no end: further than "
        f"{max(grid['margin'])} pixels from its edge a picture does not depend on where its map ends."
    )


def _parity(manifest: Manifest) -> str:
    parity = manifest.parity
    others = [name.removeprefix("size_").replace("x", " x ") for name in parity["cases"] if name.startswith("size_")]
    tried = "batches of 1, 3 and 64 and latents of 0 and +-10"
    tried += f", and maps of {' and '.join(others)} latents" if others else ""
    if manifest.kind == "translation":
        tried = ", ".join(
            ["batches of 1 and 3", "pixels of 0 and 255 alone", *(f"images of {size}" for size in others)]
        )
    return (
        f"\n\nAgainst Keras, in a process without TensorFlow: largest absolute difference "
        f"{parity['max_abs_difference']:.1e} over {tried} "
        f"(limit {parity['tolerance']:g})."
    )


def _variants(manifest: Manifest) -> str:
    return "".join(
        f"\n\n`{one['file']}` is the same network in half precision, {one['bytes'] / 1e6:.1f} MB: largest absolute "
        f"difference {one['parity']['max_abs_difference']:.1e} (limit {one['parity']['tolerance']:g}), on a CPU, where "
        f"ONNX Runtime computes in float32 with the halved weights; arithmetic in halves, as on GPUs, adds to it."
        for one in manifest.variants.values()
    )


def _drawn(tensor: Tensor) -> str:
    if tensor.classes:
        return "class id: " + ", ".join(f"{i} {name}" for i, name in enumerate(tensor.classes)).replace("|", "\\|")
    if tensor.text:
        words = f"ids of {tensor.text['words']:,} words, their lines in `{tensor.text['vocabulary']}`; 0 fills up"
        return f"{words}. A text becomes words so: {tensor.text['rule_in_words']}".replace("|", "\\|")
    if not isinstance(tensor.prior, dict):
        return ""
    ((name, args),) = tensor.prior.items()
    return f"{name} {', '.join(f'{k} {v}' for k, v in args.items())}".strip()


def making_chapter(networks: Sequence[Manifest], folder: Path, place: str) -> str:
    """Write how the model was made: recipe, time, machine, the strips of its training and its curves.

    Args:
        networks: The manifests of the artifact.
        folder: of the artifact, for the picture of its curves.
        place: The path of the folder, as a command names it.

    Returns:
        Markdown.
    """
    manifest = networks[0]
    weights, run = manifest.weights, manifest.training
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
    items = "images" if manifest.outputs[0].is_image else "points"
    recipe = shlex.quote(f"{place}/spec.yaml")
    build = f"zoo build {recipe} --steps {steps} --budget {_hours(run['seconds'])} --out mine"
    text = f"""## How it was made

`{build}` makes one like
it (the same seed gives the same draws, but processors round differently): {steps:,} steps, {images:,} real
{items} shown, {_time(run["seconds"])} on {run["machine"]} ({pace:,.0f} {items}/s), seed {weights["seed"]}.
Exported: the {kind}{statistics}. {sizes}.
Made with {", ".join(f"{name} {version}" for name, version in manifest.versions.items())}.
SHA-256 of the recipe's content: `{manifest.spec_sha256[:16]}...`."""
    text += "".join(
        f"\n`{one.file}` was rewritten after it was measured as SHA-256 `{sha256[:16]}...`, with the same weights and "
        f"outputs: {what}."
        for one in networks
        for sha256, what in one.rewritten.items()
    )
    shown = {"curves.png": "losses during the training", GAME_FILE: "the game: what each phase computes and trains"}
    pictures = [f"![{caption}]({name})" for name, caption in shown.items() if (folder / name).is_file()]
    return "\n\n".join([text, *_films(networks), *pictures])


def reached(manifest: Manifest, spec: Spec) -> str:
    """Return how much of its recipe the model has had, in words; an empty string without one."""
    training, step = spec.sections.training, manifest.weights["step"]
    return f"after {step:,} of the {training.steps:,} steps of the recipe" if training else ""


def _films(networks: Sequence[Manifest]) -> list[str]:
    lines = []
    for manifest in networks:
        if manifest.film in manifest.files:
            given = "images" if manifest.kind == "translation" else "latents"
            what = (
                f"what {manifest.network or 'the generator'} made of the same {given}, step after step of its training"
            )
            lines.append(f"![{what}]({manifest.film})")
    return lines


def _hours(seconds: float) -> str:
    """Return twice the measured training time, rounded up to whole hours, for --budget."""
    return f"{math.ceil(2 * seconds / 3600)}h"


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


def claims_chapter(results: Iterable[Result]) -> str:
    """Write the chapter about the claims of the paper.

    Args:
        results: of the claims that were tried.

    Returns:
        Markdown.
    """
    return "\n\n".join(["## Claims of the paper, tried here", *(result.markdown() for result in results)])
