"""Which networks of a spec may leave the zoo: those that a user can feed, from latents, labels or images.

A trained run -> exported/<name>/: ONNX files that explain themselves, checked against Keras in a fresh process.

    generator.onnx   manifest.json   spec.yaml   samples.png   golden.npz   README.md   film.png   curves.json

An artifact of several networks has `<network>.onnx`, `golden_<network>.npz` and `film_<network>.png` for each; one of a
run that left no pictures, or no curves, has none. The folder is written aside, checked through `zoo.runtime` by a
process without TensorFlow, and only then takes its place.
"""

from __future__ import annotations

import importlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

import zoo
from zoo import __version__
from zoo.artifact.manifest import Manifest, write_manifests
from zoo.artifact.tensor import AXES, Tensor
from zoo.core import pictures
from zoo.core.arrays import Array
from zoo.core.errors import UsageError
from zoo.core.files import sha256_file, write_whole
from zoo.data.catalogue import describe
from zoo.export import history, samples, to_onnx
from zoo.export.samples import DataImages, golden_inputs, picture
from zoo.nn import networks
from zoo.nn.batch_norm import averaged_statistics, folded
from zoo.report.card import markdown
from zoo.runtime import parity, priors
from zoo.spec.plan import Plan
from zoo.spec.read import Spec
from zoo.spec.sections import Export
from zoo.spec.sizes import allowed
from zoo.train import loop
from zoo.train.loop import Run


def exported_plans(spec: Spec) -> tuple[Plan, ...]:
    """The networks of an artifact, as the spec has them. Raises UsageError for a spec that cannot be trained, and for
    networks that cannot leave: they take latents and labels, or one image of which they make another.
    """
    loop.recipe(spec)
    names = (spec.sections.export or Export()).networks
    if not names or len(set(names)) != len(names) or not set(names) <= set(spec.plans):
        raise UsageError(
            f"{spec.path}: an artifact holds one or more of the networks {', '.join(spec.plans)}, each once; received "
            f"export.networks {list(names)}"
        )
    for plan in (spec.plans[name] for name in names):
        _feedable(spec, plan)
    return tuple(spec.plans[name] for name in names)


def _feedable(spec: Spec, plan: Plan) -> None:
    images = spec.image_fields
    if len(plan.inputs) == 1 and plan.inputs.keys() <= set(images) - {plan.output_name} and plan.output_name in images:
        return
    for input_name in plan.inputs:
        if input_name not in spec.latents and not (input_name == "label" and spec.classes):
            raise UsageError(
                f"{spec.path}: input '{input_name}' of '{plan.name}', which is exported, is neither a latent nor a "
                "label, nor the only image from which it makes another"
            )


TOLERANCE = 1e-4  # largest absolute difference to Keras, in the units of the output
Feed = dict[str, Array]


@dataclass(frozen=True)
class Exported:
    """Where the artifact stands and how well its networks agree with Keras."""

    folder: Path
    manifests: tuple[Manifest, ...]

    @property
    def manifest(self) -> Manifest:
        """That of the first network, or the only one."""
        return self.manifests[0]


@dataclass(frozen=True)
class _Network:
    """One network on its way out. `keras` computes its raw output, for images of any size that it takes."""

    manifest: Manifest
    data: bytes
    keras: Callable[[Feed], Array]


def export(run: Run, *, out: Path = Path("exported")) -> Exported:
    """Export the networks of a run to `out`/<name>, replacing what stands there.

    Raises ExportError, and leaves what was there, when a file differs from Keras by more than `TOLERANCE`.
    """
    if keras.backend.backend() != "tensorflow":
        raise UsageError(f"export runs on the TensorFlow backend, received KERAS_BACKEND={keras.backend.backend()}")
    spec, images = run.spec, DataImages(run.spec)
    names = [plan.name for plan in exported_plans(spec)]
    made = [_network(run, name, images, several=len(names) > 1) for name in names]
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{spec.name}-", dir=out) as aside:
        folder = Path(aside) / spec.name
        folder.mkdir()
        for one in made:
            write_whole(folder / one.manifest.file, one.data)
        made = _checked(folder, made)
        everything = _write_rest(folder, made, run, images)
        _swap(folder, out / spec.name)
    return Exported(out / spec.name, everything)


def _network(run: Run, name: str, images: DataImages, *, several: bool) -> _Network:
    section, plan = run.spec.sections.export or Export(), run.algorithm.exported_plan(name)
    keras.utils.set_random_seed(0)  # dropout while batch norm is measured: the same weights must give the same bytes
    rules = allowed(plan)
    network = networks.build(_of_any_size(plan) if rules else plan)  # in float32, whatever precision trained it
    network.set_weights(run.algorithm.exported(name).get_weights())
    averaged_statistics(network, samples.batches(run.spec, plan, section.batch_norm_batches, images))
    manifest = _manifest(run, plan, section, rules)
    if manifest.kind == "translation":
        manifest = replace(manifest, training={**manifest.training, "shown": images.shown})
    manifest = replace(manifest, network=name) if several else manifest
    inference = folded(plan, network, to_onnx.traced_layers(plan))
    data = to_onnx.onnx_bytes(inference, plan, manifest, section.opset)
    return _Network(manifest, data, _keras_function(network, plan))


def _of_any_size(plan: Plan) -> Plan:
    """The plan with an input [None, None, C]: Keras then builds a network for images of any size."""
    anything: dict[str, Any] = {input_name: (None, None, shape[-1]) for input_name, shape in plan.inputs.items()}
    return replace(plan, inputs=anything)


def _keras_function(network: keras.Model, plan: Plan) -> Callable[[Feed], Array]:
    """What Keras computes at inference, raw, in float32 throughout.

    On GPUs TensorFlow rounds the factors of every product to 11 bits (TF32): hundreds of times `TOLERANCE`.
    """
    import tensorflow as tf

    def generate(inputs: Feed) -> Array:
        rounded = tf.config.experimental.tensor_float_32_execution_enabled()
        tf.config.experimental.enable_tensor_float_32_execution(False)
        try:
            return keras.ops.convert_to_numpy(network(inputs, training=False)[plan.output_name])
        finally:
            tf.config.experimental.enable_tensor_float_32_execution(rounded)

    return generate


def _manifest(run: Run, plan: Plan, section: Export, rules: dict[str, dict[str, int]] | None) -> Manifest:
    spec, sections, config = run.spec, run.spec.sections, run.spec.sections.training
    assert config is not None and sections.data is not None
    source = describe(sections.data.source.name, sections.data.source.args)
    return Manifest(
        name=spec.name,
        title=sections.title,
        paper=spec.document.get("paper") or {},
        inputs=tuple(_input(spec, input_name, plan, rules) for input_name in plan.inputs),
        outputs=(_output(spec, plan, rules),),
        weights=_weights(run, plan, section),
        data={key: getattr(source, key) for key in ("name", "title", "licence", "homepage", "citation")},
        licence=section.licence,
        spec_sha256=spec.sha256,
        versions=_versions(),
        training={"seconds": round(run.seconds, 1), "machine": run.machine, "ended": run.reason, **_kept(run)},
    )


def _kept(run: Run) -> dict[str, Any]:
    """By what the weights were chosen, where they are not the last ones."""
    if run.best is None:
        return {}
    images = run.step * run.images_per_step
    return {
        "steps": run.step,
        "images": images,
        "kept": str(run.best),
        "metric": run.best.protocol,
        "value": round(run.best.value, 5),
    }


def _weights(run: Run, plan: Plan, section: Export) -> dict[str, Any]:
    """Which weights these are: of which kind, after how much training, with which batch norm statistics."""
    config = run.spec.sections.training
    assert config is not None
    averaged = plan.name in run.algorithm.averages
    statistics = None  # a network without batch norm has none
    if any(step.layer == "BatchNormalization" for step in plan.steps):
        what = "latents" if plan.inputs.keys() & run.spec.latents.keys() else "images"
        batches = f"mean over {section.batch_norm_batches} batches of {config.batch_size} {what}"
        statistics = batches if section.batch_norm_batches else "moving averages of training"
    return {
        "kind": "ema" if averaged else "last",
        "ema_half_life_images": config.ema_half_life_images if averaged else None,
        "step": run.exported_step,
        "images": run.exported_step * run.images_per_step,
        "seed": config.seed,
        "batch_norm": statistics,
        "parameters": plan.parameters,
    }


def _input(spec: Spec, input_name: str, plan: Plan, rules: dict[str, dict[str, int]] | None) -> Tensor:
    if input_name in spec.sections.latent:
        part = spec.sections.latent[input_name]
        args = priors.PRIORS.bind(part.name, part.args)  # its defaults too: nobody has to look them up
        del args["shape"]
        return Tensor(input_name, "float32", ("batch", *spec.latents[input_name]), prior={part.name: args})
    if input_name in spec.image_fields:
        return replace(_image(spec, input_name, plan.inputs[input_name], rules), sizes=rules)
    return Tensor(input_name, "int64", ("batch",), classes=spec.classes)


def _output(spec: Spec, plan: Plan, rules: dict[str, dict[str, int]] | None) -> Tensor:
    if len(plan.output_shape) == 3:
        return _image(spec, plan.output_name, plan.output_shape, rules)
    shape: tuple[int | str, ...] = ("batch", *plan.output_shape)
    return Tensor(plan.output_name, "float32", shape, layout="NC" if len(plan.output_shape) == 1 else None)


def _image(spec: Spec, name: str, shape: Sequence[int], rules: dict[str, dict[str, int]] | None) -> Tensor:
    assert spec.sections.data is not None
    axes = AXES if rules else shape[:2]
    return Tensor(name, "float32", ("batch", *axes, shape[2]), range=spec.sections.data.range, layout="NHWC")


def _versions() -> dict[str, str]:
    names = ("keras", "tensorflow", "tf2onnx", "onnx", "numpy")  # modules: distributions also go by other names
    return {"gan-zoo": __version__, **{name: importlib.import_module(name).__version__ for name in names}}


def _checked(folder: Path, made: Sequence[_Network]) -> list[_Network]:
    """The networks, their manifests with hash and parity figures. Raises ExportError with those that are too large."""
    hashed = [_stating(one, files={one.manifest.file: sha256_file(folder / one.manifest.file)}) for one in made]
    _write_manifests(folder, [one.manifest for one in hashed])
    return [_stating(one, parity=_figures(folder, one)) for one in hashed]


def _stating(one: _Network, **manifest: Any) -> _Network:
    return replace(one, manifest=replace(one.manifest, **manifest))


def _write_manifests(folder: Path, manifest: Sequence[Manifest]) -> None:
    write_manifests(manifest[0] if len(manifest) == 1 else manifest, folder)


def _figures(folder: Path, one: _Network) -> dict[str, Any]:
    manifest = one.manifest
    tried: parity.Cases = {
        case: {"input": inputs, "output": {manifest.outputs[0].name: one.keras(inputs)}}
        for case, inputs in parity.make_cases(manifest).items()
    }
    artifact = folder / manifest.file if manifest.network else folder
    return parity.check_parity(artifact, tried, tolerance=TOLERANCE, name=manifest.model, to="Keras")


def _write_rest(folder: Path, made: Sequence[_Network], run: Run, images: DataImages) -> tuple[Manifest, ...]:
    """Spec, golden vectors, samples, card; then the manifest that states their hashes."""
    write_whole(folder / "spec.yaml", run.spec.to_yaml().encode())
    shown = []
    for one in made:
        generator = zoo.load(folder, network=one.manifest.network or None)
        inputs = golden_inputs(generator, images)
        output = {one.manifest.outputs[0].name: one.keras(inputs)}
        np.savez(folder / one.manifest.golden, **inputs, **output)  # type: ignore[arg-type]
        shown.append(picture(generator, images))
    pictures.write_png(folder / "samples.png", pictures.stack(shown) if len(shown) > 1 else shown[0])
    _write_history(folder, made, run)
    everything = []
    for one in made:
        past = [one.manifest.film, history.CURVES]
        names = [one.manifest.file, "spec.yaml", one.manifest.golden, "samples.png"]
        names += [name for name in past if (folder / name).is_file()]
        everything.append(replace(one.manifest, files={name: sha256_file(folder / name) for name in names}))
    _write_manifests(folder, everything)
    write_whole(folder / "README.md", markdown(everything, run.spec, folder).encode())
    return tuple(everything)


def _write_history(folder: Path, made: Sequence[_Network], run: Run) -> None:
    """The curves of the run, and a film of each network, up to the step that leaves."""
    weights = made[0].manifest.weights
    history.write_curves(run.folder, folder, images_per_step=run.images_per_step, until=weights["step"])
    for one, plan in zip(made, exported_plans(run.spec), strict=True):
        history.write_film(run.folder, folder / one.manifest.film, plan.name, until=weights["step"])


def _swap(new: Path, target: Path) -> None:
    """Put the finished folder in its place; what stood there goes only once the new one is complete."""
    old = new.with_name(f"{target.name}.old")
    try:
        if target.exists():
            target.rename(old)
        new.rename(target)
    except BaseException:  # Ctrl-C too
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
