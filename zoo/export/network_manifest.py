"""The manifest of a network that is exported: what its run, its spec and its plan say of it.

Hashes of files and the figures of the parity check are added by the exporter, once there are files.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from zoo import __version__
from zoo.artifact.manifest import Manifest
from zoo.artifact.tensor import AXES, CELLS, CHANNELS, Tensor
from zoo.core.text import RULE, RULE_IN_WORDS, split
from zoo.data.caption_draws import CaptionDraws
from zoo.data.captions import Captions
from zoo.data.catalogue import TEXT, describe, domain_titles
from zoo.runtime import priors
from zoo.spec.game_leaving import given_inputs
from zoo.spec.plan import BATCH_NORMS, Plan
from zoo.spec.read import Spec
from zoo.spec.sections import Export
from zoo.spec.shapes import Shape
from zoo.spec.sizes import Sizes
from zoo.spec.words import data_words
from zoo.train.loop import Run

VOCABULARY = "vocabulary.txt"  # beside the .onnx


def network_manifest(run: Run, plan: Plan, sizes: Sizes | None, *, network: str = "") -> Manifest:
    """Return the manifest of one network of a run, without `parity` and `files`.

    Args:
        run: The finished run.
        plan: The plan of the network.
        sizes: The rules of the sizes, where the network takes images or maps of latents of many.
        network: Its name, where the artifact holds several networks.
    """
    section, manifest = run.spec.sections.export or Export(), untrained_manifest(run.spec, plan, sizes, network=network)
    return replace(
        manifest,
        weights=_weights(run, plan, section),
        data={**manifest.data, **({"counts": dict(run.data)} if run.data else {})},
        training={"seconds": round(run.seconds, 1), "machine": run.machine, "ended": run.reason, **_selection(run)},
    )


def untrained_manifest(spec: Spec, plan: Plan, sizes: Sizes | None, *, network: str = "") -> Manifest:
    """Return what the manifest of a network states before any training: its inputs, its output, and words.

    Args:
        spec: The spec.
        plan: The plan of the network.
        sizes: The rules of the sizes, where the network takes images or maps of latents of many.
        network: Its name, where the artifact holds several networks.
    """
    sections = spec.sections
    assert sections.data is not None
    source = describe(sections.data.source.name, sections.data.source.args)
    return Manifest(
        name=spec.name,
        title=network_title(spec, plan, network),
        paper=spec.document.get("paper") or {},
        inputs=tuple(_input(spec, input_name, plan, sizes) for input_name in plan.inputs),
        outputs=tuple(_output(spec, name, shape, sizes) for name, (_, shape) in plan.outputs.items()),
        weights={"parameters": plan.parameters},
        data={key: getattr(source, key) for key in ("name", "title", "licence", "homepage", "citation")},
        licence=(sections.export or Export()).licence,
        spec_sha256=spec.sha256,
        versions=_versions(),
        network=network,
    )


def network_title(spec: Spec, plan: Plan, network: str) -> str:
    """Return the title of a network: that of its spec, for a translator with its direction.

    Args:
        spec: The spec.
        plan: The plan of the network.
        network: Its name where the artifact holds several, which then stands in titles without a direction.

    Returns:
        The title.
    """
    title, data = spec.sections.title, spec.sections.data
    assert data is not None
    names = domain_titles(data.source.name, data.source.args)
    if plan.output_name in names and len(plan.inputs) == 1 and plan.inputs.keys() <= names.keys():
        (given,) = plan.inputs
        head = title.removesuffix(f", {data_words(data.source.name, data.source.args)}")
        return f"{head}, {names[given]} to {names[plan.output_name]}"
    return f"{title}, {network}" if network else title


def _selection(run: Run) -> dict[str, Any]:
    """How the best weights were selected; empty where those of the last step are exported."""
    if run.best is None:
        return {}
    return {
        "steps": run.step,
        "images": run.step * run.images_per_step,
        "kept": str(run.best),
        "metric": run.best.protocol,
        "value": round(run.best.value, 5),
    }


def _weights(run: Run, plan: Plan, section: Export) -> dict[str, Any]:
    """The kind of the weights, the training behind them, and the statistics of their batch norm."""
    config = run.spec.sections.training
    assert config is not None
    averaged = _parts(run.spec, plan.name) <= run.algorithm.averages.keys()
    statistics = None  # a network without batch norm has none
    if any(step.layer in BATCH_NORMS for step in plan.steps):
        inputs = "latents" if plan.inputs.keys() & run.spec.latents.keys() else "images"
        measured = f"mean over {section.batch_norm_batches} batches of {config.batch_size} {inputs}"
        statistics = measured if section.batch_norm_batches else "moving averages of training"
    return {
        "kind": "ema" if averaged else "last",
        "ema_half_life_images": config.ema_half_life_images if averaged else None,
        "step": run.exported_step,
        "images": run.exported_step * run.images_per_step,
        "seed": config.seed,
        "batch_norm": statistics,
        "parameters": plan.parameters,
    }


def _parts(spec: Spec, name: str) -> set[str]:
    """Return the trained networks of what leaves under a name."""
    value = spec.game.exports.get(name) if spec.game is not None else None
    return {name} if value is None else {*value.networks} & {*spec.trained}


def _input(spec: Spec, name: str, plan: Plan, sizes: Sizes | None) -> Tensor:
    axes = None if sizes is None else sizes.axes
    if name in spec.labels:  # of the data, or a categorical latent
        return Tensor(name, "int64", ("batch",), classes=spec.labels[name])
    if name == TEXT and (captions := spec.captions) is not None:
        return Tensor(name, "int32", ("batch", captions.longest), text=_text(captions))
    if name in (given := given_inputs(spec.game)):
        low, high = given[name]["within"] or (None, None)
        limits = {} if low is None else {"low": low, "high": high}
        return Tensor(name, "float32", ("batch", 1), prior={"given": {"default": given[name]["default"], **limits}})
    if name in spec.sections.latent:
        part = spec.sections.latent[name]
        args = priors.PRIORS.bind(part.name, part.args)  # defaults too: no reader has to look them up
        del args["shape"]
        shape = spec.latents[name] if sizes is None else (*CELLS, spec.latents[name][-1])
        return Tensor(name, "float32", ("batch", *shape), prior={part.name: args}, sizes=axes)
    return replace(_image(spec, name, plan.inputs[name], sizes), sizes=axes)


def _text(captions: Captions) -> dict[str, Any]:
    vocabulary, examples = captions.vocabulary, CaptionDraws(captions).examples()
    return {
        "rule": RULE,
        "rule_in_words": RULE_IN_WORDS,
        "vocabulary": VOCABULARY,
        "sha256": vocabulary.sha256,
        "words": len(vocabulary.words),
        "examples": list(examples),
        "example_ids": [[vocabulary.index[word] for word in split(text)] for text in examples],
    }


def _output(spec: Spec, name: str, made: Shape, sizes: Sizes | None) -> Tensor:
    if len(made) == 3:
        grid = None if sizes is None or sizes.grid is None else {**sizes.grid, "margin": None}
        return replace(_image(spec, name, made, sizes), grid=grid)
    return Tensor(name, "float32", ("batch", *made), layout="NC" if len(made) == 1 else None)


def _image(spec: Spec, name: str, shape: Sequence[int], sizes: Sizes | None) -> Tensor:
    assert spec.sections.data is not None
    axes = AXES if sizes else shape[:2]
    return Tensor(
        name, "float32", ("batch", *axes, shape[2]), range=spec.sections.data.range, layout="NHWC",
        channels=CHANNELS.get(shape[2]),
    )  # fmt: skip


def _versions() -> dict[str, str]:
    names = ("keras", "tensorflow", "tf2onnx", "onnx", "numpy")  # modules: distributions also go by other names
    return {"gan-zoo": __version__, **{name: importlib.import_module(name).__version__ for name in names}}
