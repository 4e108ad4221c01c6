"""A trained run -> exported/<name>/: an ONNX file that explains itself, checked against Keras in a fresh process.

    generator.onnx   manifest.json   spec.yaml   samples.png   golden.npz   README.md

The folder is written aside, checked through `zoo.runtime` by a process without TensorFlow, and only then takes its
place.
"""

from __future__ import annotations

import importlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo import __version__, card, fold, manifest, networks, onnx_graph, parity, pictures, priors, runtime, training
from zoo.data.catalogue import CARDS
from zoo.errors import ExportError, UsageError
from zoo.manifest import Manifest, Tensor
from zoo.spec import Export, Plan, Spec
from zoo.training import Run

TOLERANCE = 1e-4  # largest absolute difference to Keras, in the units of the output
GOLDEN_SAMPLES = 4
Array = runtime.Array


@dataclass(frozen=True)
class Exported:
    """Where the artifact stands and how well it agrees with Keras."""

    folder: Path
    manifest: Manifest


def export(run: Run, *, out: Path = Path("exported")) -> Exported:
    """Export the generator of a run to `out`/<name>, replacing what stands there.

    Raises ExportError, and leaves what was there, when the file differs from Keras by more than `TOLERANCE`.
    """
    spec = run.spec
    section = spec.sections.export or Export()
    plan = training.exported_plan(spec)
    source = run.algorithm.exported(plan.name)
    keras.utils.set_random_seed(0)  # dropout while batch norm is measured: the same weights must give the same bytes
    network = networks.build(plan)  # in float32, whatever precision trained it
    network.set_weights(source.get_weights())
    fold.averaged_statistics(network, _latent_batches(spec, plan, section.batch_norm_batches))
    keras_generator = _keras_function(network, plan)
    inference = fold.folded(plan, network)
    facts = _manifest(run, plan, section)
    data = _convert(inference, plan, facts, section.opset)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{spec.name}-", dir=out) as aside:
        folder = Path(aside) / spec.name
        folder.mkdir()
        manifest.write_whole(folder / manifest.MODEL_FILE, data)
        facts = _checked(folder, facts, plan, keras_generator)
        facts = _write_rest(folder, facts, run, keras_generator)
        _swap(folder, out / spec.name)
    return Exported(out / spec.name, facts)


def _latent_batches(spec: Spec, plan: Plan, count: int) -> list[dict[str, Array]]:
    """Inputs of the batch size of training, from the priors; labels uniformly."""
    size = spec.sections.training.batch_size if spec.sections.training else 64
    random = np.random.RandomState(0)
    return [{tap: _draw(spec, tap, random, size) for tap in plan.inputs} for _ in range(count)]


def _draw(spec: Spec, tap: str, random: np.random.RandomState, size: int) -> Array:
    if tap in spec.sections.latent:
        return training.prior(spec.sections.latent[tap]).draw(random, size)
    return priors.labels(random, size, classes=len(spec.classes))


def _keras_function(network: keras.Model, plan: Plan) -> Callable[[dict[str, Array]], Array]:
    """What Keras computes at inference, raw, in float32 throughout.

    On GPUs TensorFlow rounds the factors of every product to 11 bits (TF32): hundreds of times `TOLERANCE`.
    """
    import tensorflow as tf

    def generate(inputs: dict[str, Array]) -> Array:
        rounded = tf.config.experimental.tensor_float_32_execution_enabled()
        tf.config.experimental.enable_tensor_float_32_execution(False)
        try:
            return keras.ops.convert_to_numpy(network(inputs, training=False)[plan.output_name])
        finally:
            tf.config.experimental.enable_tensor_float_32_execution(rounded)

    return generate


def _manifest(run: Run, plan: Plan, section: Export) -> Manifest:
    spec, sections, config = run.spec, run.spec.sections, run.spec.sections.training
    assert config is not None and sections.data is not None
    source = CARDS[sections.data.source.name]
    return Manifest(
        name=spec.name,
        title=sections.title,
        paper=spec.document.get("paper") or {},
        inputs=tuple(_input(spec, tap) for tap in plan.inputs),
        outputs=(_output(spec, plan),),
        weights=_weights(run, plan, section),
        data={key: getattr(source, key) for key in ("name", "title", "licence", "homepage", "citation")},
        licence=section.licence,
        spec_sha256=spec.sha256,
        versions=_versions(),
        training={"seconds": round(run.seconds, 1), "machine": run.machine, "ended": run.reason},
    )


def _weights(run: Run, plan: Plan, section: Export) -> dict[str, Any]:
    """Which weights these are: of which kind, after how much training, with which batch norm statistics."""
    config = run.spec.sections.training
    assert config is not None
    averaged = plan.name in run.algorithm.averages
    statistics = None  # a network without batch norm has none
    if any(step.layer == "BatchNormalization" for step in plan.steps):
        batches = f"mean over {section.batch_norm_batches} batches of {config.batch_size} latents"
        statistics = batches if section.batch_norm_batches else "moving averages of training"
    return {
        "kind": "ema" if averaged else "last",
        "ema_half_life_images": config.ema_half_life_images if averaged else None,
        "step": run.step,
        "images": run.step * config.batch_size * run.algorithm.data_draws,
        "seed": config.seed,
        "batch_norm": statistics,
        "parameters": plan.parameters,
    }


def _input(spec: Spec, tap: str) -> Tensor:
    if tap in spec.sections.latent:
        part = spec.sections.latent[tap]
        args = priors.PRIORS.bind(part.name, part.args)  # its defaults too: nobody has to look them up
        del args["shape"]
        return Tensor(tap, "float32", ("batch", *spec.latents[tap]), prior={part.name: args})
    return Tensor(tap, "int64", ("batch",), classes=spec.classes)


def _output(spec: Spec, plan: Plan) -> Tensor:
    data = spec.sections.data
    shape: tuple[int | str, ...] = ("batch", *plan.output_shape)
    if len(plan.output_shape) == 3 and data is not None:
        return Tensor(plan.output_name, "float32", shape, range=data.range, layout="NHWC")
    return Tensor(plan.output_name, "float32", shape, layout="NC" if len(plan.output_shape) == 1 else None)


def _versions() -> dict[str, str]:
    names = ("keras", "tensorflow", "tf2onnx", "onnx", "numpy")  # modules: distributions also go by other names
    return {"gan-zoo": __version__, **{name: importlib.import_module(name).__version__ for name in names}}


def _convert(network: keras.Model, plan: Plan, facts: Manifest, opset: int) -> bytes:
    """Trace the folded network and convert it; the only place that needs TensorFlow and tf2onnx."""
    if keras.backend.backend() != "tensorflow":
        raise UsageError(f"export runs on the TensorFlow backend, received KERAS_BACKEND={keras.backend.backend()}")
    import tensorflow as tf
    import tf2onnx

    names, output = list(plan.inputs), plan.output_name
    dtypes = {tensor.name: tensor.dtype for tensor in facts.inputs}
    signature = [tf.TensorSpec((None, *shape), dtypes[tap], name=tap) for tap, shape in plan.inputs.items()]

    @tf.function(input_signature=signature)
    def generate(*tensors: Any) -> Any:
        return {output: network(dict(zip(names, tensors, strict=True)), training=False)[output]}

    model, _ = tf2onnx.convert.from_function(generate, input_signature=signature, opset=opset)
    return onnx_graph.clean(
        model, name=facts.name, inputs=names, output=output, metadata=manifest.metadata(facts), producer=__version__
    )


def _cases(facts: Manifest) -> dict[str, dict[str, Array]]:
    """Inputs for the parity check: one, three and many examples, and latents at the edges of what one may feed."""

    def inputs(count: int, fill: float | None = None) -> dict[str, Array]:
        made = {}
        for tensor in facts.inputs:
            random = priors.stream(1, tensor.name)
            if tensor.prior is None:
                made[tensor.name] = priors.labels(random, count, classes=len(tensor.classes))
            else:
                drawn = priors.make(tensor.prior, shape=tuple(int(d) for d in tensor.shape[1:])).draw(random, count)
                made[tensor.name] = drawn if fill is None else np.full_like(drawn, fill)
        return made

    sizes = {f"batch_{count}": inputs(count) for count in (1, 3, 64)}
    return {**sizes, **{f"all_{fill:+.0f}": inputs(3, fill) for fill in (0.0, 10.0, -10.0)}}


def _checked(
    folder: Path, facts: Manifest, plan: Plan, keras_generator: Callable[[dict[str, Array]], Array]
) -> Manifest:
    """The manifest with hash and parity figures. Raises ExportError with the figures when they are too large."""
    files = {manifest.MODEL_FILE: manifest.sha256_file(folder / manifest.MODEL_FILE)}
    facts = Manifest(**{**facts.__dict__, "files": files})
    manifest.write(facts, folder)
    arrays: dict[str, Array] = {}
    for case, inputs in _cases(facts).items():
        arrays |= {f"{case}/input/{tap}": array for tap, array in inputs.items()}
        arrays[f"{case}/output/{plan.output_name}"] = keras_generator(inputs)
    with tempfile.TemporaryDirectory() as scratch:
        reference = Path(scratch) / "reference.npz"
        np.savez(reference, **arrays)  # type: ignore[arg-type]
        figures = parity.check(folder, reference)
    if figures["tensorflow_loaded"]:
        raise ExportError("the parity check ran in a process that had loaded TensorFlow")
    if not figures["max_abs_difference"] <= TOLERANCE:
        text = ", ".join(f"{case} {value:.2e}" for case, value in figures["cases"].items())
        raise ExportError(f"{facts.name}: the ONNX file differs from Keras by more than {TOLERANCE:g}: {text}")
    return Manifest(**{**facts.__dict__, "parity": {**figures, "tolerance": TOLERANCE}})


def _write_rest(
    folder: Path, facts: Manifest, run: Run, keras_generator: Callable[[dict[str, Array]], Array]
) -> Manifest:
    """Spec, golden vectors, samples, card; then the manifest that states their hashes."""
    manifest.write_whole(folder / "spec.yaml", run.spec.to_yaml().encode())
    generator = runtime.load(folder)
    inputs = generator.latents(GOLDEN_SAMPLES, seed=0)
    np.savez(folder / "golden.npz", **inputs, **{facts.outputs[0].name: keras_generator(inputs)})  # type: ignore[arg-type]
    samples = generator.sample(64, seed=0)
    pictures.write_png(folder / "samples.png", pictures.picture(samples))
    names = (manifest.MODEL_FILE, "spec.yaml", "golden.npz", "samples.png")
    facts = Manifest(**{**facts.__dict__, "files": {name: manifest.sha256_file(folder / name) for name in names}})
    manifest.write(facts, folder)
    manifest.write_whole(folder / "README.md", card.markdown(facts, run.spec).encode())
    return facts


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
