"""A trained run -> exported/<name>/: ONNX files that explain themselves, checked against Keras in a fresh process.

    generator.onnx   manifest.json   spec.yaml   samples.png   golden.npz   README.md   film.png   curves.json
    game.svg   vocabulary.txt   trainable.npz

An artifact of several networks has `<network>.onnx`, `golden_<network>.npz` and `film_<network>.png` for each; a run
without sample sheets gives no film, one without logged losses no curves, one without captions no vocabulary, and
`trainable.npz` is left where the spec says so.

`export` is the road: the rule of the spec (`exported_plans`), each network as ONNX (`_convert`), the files and their
parity with Keras (`_write_networks`), samples and history, and at last the manifest and the card, which state the rest.
The folder is written aside and takes its place only when it is complete (`zoo.export.replace`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import keras
import numpy as np

import zoo
from zoo.artifact.manifest import TRAINABLE, Manifest, write_manifests
from zoo.core import pictures
from zoo.core.arrays import Array, save_arrays
from zoo.core.errors import DiskFullError, UsageError
from zoo.core.files import sha256_file, write_whole
from zoo.data.captions import Captions
from zoo.export import history, samples, to_onnx
from zoo.export.margin import with_margin
from zoo.export.network_manifest import network_manifest
from zoo.export.replace import folder_aside, replace_folder
from zoo.nn.batch_norm import averaged_statistics, folded
from zoo.nn.networks import build
from zoo.report.card import markdown, write_game
from zoo.runtime import parity
from zoo.spec.plan import Plan
from zoo.spec.read import Spec
from zoo.spec.sections import Export
from zoo.spec.sizes import Sizes, allowed, cells
from zoo.train.kept import KeptImages, kept_images
from zoo.train.loop import Run, recipe

TOLERANCE = 1e-4  # largest absolute difference to Keras, in the units of the output
Feed = dict[str, Array]


def exported_plans(spec: Spec) -> tuple[Plan, ...]:
    """Return the plans of the networks that are exported.

    Args:
        spec: A spec that was read, so that a user can feed what it exports.

    Returns:
        The plans of `Spec.exported`, in their order.

    Raises:
        UsageError: The spec describes networks without training them.
    """
    recipe(spec)
    return tuple(spec.leaving.values())


@dataclass(frozen=True)
class Exported:
    """The folder of an artifact, and the manifests of its networks in the order of `export.networks`.

    `previous` is the folder in which an earlier artifact is kept that may be worth more.
    """

    folder: Path
    manifests: tuple[Manifest, ...]
    previous: Path | None = None

    @property
    def manifest(self) -> Manifest:
        """The manifest of the first network, or of the only one."""
        return self.manifests[0]


@dataclass(frozen=True)
class _Network:
    """One network under way: its manifest so far, its ONNX file, and Keras's raw output for inputs of any size."""

    name: str
    manifest: Manifest
    onnx: bytes
    keras: Callable[[Feed], Feed]

    def stating(self, **facts: Any) -> _Network:
        return replace(self, manifest=replace(self.manifest, **facts))


def export(run: Run, *, out: Path = Path("exported")) -> Exported:
    """Export the networks of a run to `out`/<name>, in the place of the artifact that was there.

    An earlier artifact that was measured or trained on more images is kept as <name>.previous.

    Args:
        run: A finished run, or one that was stopped; its weights stay as they are.
        out: The folder for artifacts.

    Returns:
        The folder that was written, and the manifests in it.

    Raises:
        UsageError: Keras does not run on TensorFlow, or `exported_plans` refuses the spec.
        ExportError: An ONNX file differs from Keras by more than `TOLERANCE`; the earlier artifact is left as it was.
        DiskFullError: There is too little space; the earlier artifact is left as it was.
    """
    if keras.backend.backend() != "tensorflow":
        raise UsageError(f"export runs on the TensorFlow backend, received KERAS_BACKEND={keras.backend.backend()}")
    spec, images = run.spec, kept_images(run.spec, run.folder)
    plans = exported_plans(spec)
    networks = [_convert(run, plan.name, images, several=len(plans) > 1) for plan in plans]
    with _explained(run, out / spec.name), folder_aside(out, spec.name) as folder:
        networks = _write_networks(folder, networks, spec.captions)
        write_whole(folder / "spec.yaml", spec.to_yaml().encode())
        _write_samples(folder, networks, images)
        _write_history(folder, networks, run)
        _write_trainable(folder, run)
        manifests = tuple(replace(one.manifest, files=_hashes(folder, one.manifest)) for one in networks)
        write_manifests(manifests, folder)
        write_game(spec, folder)
        write_whole(folder / "README.md", markdown(manifests, spec, folder, place=out / spec.name).encode())
        previous = replace_folder(folder, out / spec.name)
    return Exported(out / spec.name, manifests, previous)


@contextmanager
def _explained(run: Run, target: Path) -> Iterator[None]:
    """State what stands when the disk is full, and how to go on."""
    try:
        yield
    except DiskFullError as error:
        there = f"; {target} is as it was" if target.exists() else ""
        raise DiskFullError(
            f"{error}; the run in {run.folder} stands at step {run.step:,}{there}. Free some space, then export it "
            "with --resume"
        ) from error


def _convert(run: Run, name: str, images: KeptImages, *, several: bool) -> _Network:
    """Measure batch norm, describe the network in a manifest, and convert it; `several` networks have their names."""
    section, (trained, plan) = run.spec.sections.export or Export(), run.algorithm.leaving(name)
    keras.utils.set_random_seed(0)  # dropout while batch norm is measured: the same weights must give the same bytes
    sizes = allowed_sizes(run.spec, plan)
    network = build(of_any_size(plan) if sizes else plan)  # in float32, whatever precision trained it
    network.set_weights(trained.get_weights())
    averaged_statistics(network, samples.batches(run.spec, plan, section.batch_norm_batches, images))
    manifest = network_manifest(run, plan, sizes, network=name if several else "")
    if sizes is not None and sizes.grid is not None:
        manifest = with_margin(manifest, keras_outputs(network, plan))
    if manifest.kind == "translation":
        manifest = replace(manifest, training={**manifest.training, "shown": images.split})
    onnx = to_onnx.onnx_bytes(folded(plan, network, to_onnx.traced_layers(plan)), plan, manifest, section.opset)
    return _Network(name, manifest, onnx, keras_outputs(network, plan))


def allowed_sizes(spec: Spec, plan: Plan) -> Sizes | None:
    """Return the rule for the sizes of images or maps of latents that an exported network takes, or None for one."""
    if spec.sections.export is not None and spec.sections.export.sizes == "trained":
        return None
    if plan.inputs.keys() <= set(spec.image_fields):
        return allowed(plan)
    return cells(plan) if plan.inputs.keys() <= spec.latents.keys() else None


def of_any_size(plan: Plan) -> Plan:
    """Return the plan with an input [None, None, C]: Keras then builds a network for images of any size."""
    inputs: dict[str, Any] = {input_name: (None, None, shape[-1]) for input_name, shape in plan.inputs.items()}
    return replace(plan, inputs=inputs)


def keras_outputs(network: keras.Model, plan: Plan) -> Callable[[Feed], Feed]:
    """Return a function from inputs to Keras's raw outputs at inference by name, in float32 throughout.

    On GPUs TensorFlow rounds the factors of every product to 11 bits (TF32): hundreds of times `TOLERANCE`. That is
    switched off during each call.
    """
    import tensorflow as tf

    def generate(inputs: Feed) -> Feed:
        rounded = tf.config.experimental.tensor_float_32_execution_enabled()
        tf.config.experimental.enable_tensor_float_32_execution(False)
        try:
            made = network(inputs, training=False)
            return {name: keras.ops.convert_to_numpy(made[name]) for name in plan.outputs}
        finally:
            tf.config.experimental.enable_tensor_float_32_execution(rounded)

    return generate


def _write_networks(folder: Path, networks: Sequence[_Network], captions: Captions | None) -> list[_Network]:
    """Write the ONNX files and check them; the manifests then state hashes and parity. Raises ExportError."""
    for network in networks:
        write_whole(folder / network.manifest.file, network.onnx)
        if captions is not None:
            for name in network.manifest.vocabularies:
                write_whole(folder / name, captions.vocabulary.to_bytes())
    networks = [network.stating(files=_hashes(folder, network.manifest)) for network in networks]
    write_manifests([network.manifest for network in networks], folder)  # the check loads the folder as a user does
    return [network.stating(parity=_parity(folder, network)) for network in networks]


def _parity(folder: Path, network: _Network) -> dict[str, Any]:
    """The figures of the parity check. Raises ExportError where one is above the tolerance."""
    manifest = network.manifest
    cases: parity.Cases = {
        case: {"input": inputs, "output": network.keras(inputs)} for case, inputs in parity.make_cases(manifest).items()
    }
    artifact = folder / manifest.file if manifest.network else folder
    return parity.check_parity(artifact, cases, tolerance=TOLERANCE, name=manifest.model, to="Keras")


def _write_samples(folder: Path, networks: Sequence[_Network], images: KeptImages) -> None:
    """Write golden vectors for each network, and one picture for all."""
    shown = []
    for network in networks:
        manifest = network.manifest
        generator = zoo.load(folder, network=manifest.network or None)
        inputs = samples.golden_inputs(generator, images)
        fed = {name: inputs[name] for name in generator.inputs}
        golden = {**inputs, **network.keras(fed)}
        for size, others in samples.golden_of_other_sizes(generator, images).items():
            golden |= {f"{name}/{size}": array for name, array in {**others, **network.keras(others)}.items()}
        write_whole(folder / manifest.golden, partial(_save_golden, golden))
        shown.append(samples.picture(generator, images))
    pictures.write_png(folder / "samples.png", pictures.stack(shown))


def _save_golden(arrays: Feed, file: BinaryIO) -> None:
    np.savez(file, **arrays)  # type: ignore[arg-type]


def _write_history(folder: Path, networks: Sequence[_Network], run: Run) -> None:
    """Write the curves of the run, and a film of each network, up to the step of the exported weights."""
    until = run.exported_step
    phases = [phase.name for phase in run.algorithm.phases()]
    history.write_curves(run.folder, folder, phases=phases, images_per_step=run.images_per_step, until=until)
    every = recipe(run.spec).picture_every_steps
    for network in networks:
        film = folder / network.manifest.film
        history.write_film(run.folder, film, network.name, until=until, every=every, last=run.step)


def _write_trainable(folder: Path, run: Run) -> None:
    """Write the weights of the trained networks as training has them, averages instead of what they average.

    In float16 a number has 11 bits; arrays beyond its range stay as they are.
    """
    precision = (run.spec.sections.export or Export()).trainable
    if precision is None:
        return
    averages = run.algorithm.averages
    owners = {f"{name}_ema" if name in averages else name for name in run.spec.trained}
    arrays = {}
    for name, variable in run.algorithm.state().items():
        if name.partition("/")[0] in owners and "seed" not in name:
            array = keras.ops.convert_to_numpy(variable.value)
            with np.errstate(over="ignore"):
                short = array.astype(precision)
            arrays[name] = short if np.isfinite(short).all() else array
    save_arrays(folder / TRAINABLE, arrays, {"step": run.step})


def _hashes(folder: Path, manifest: Manifest) -> dict[str, str]:
    """SHA-256 of the files that a manifest states, as far as they were written."""
    names = [manifest.file, "spec.yaml", manifest.golden, "samples.png", manifest.film, history.CURVES, TRAINABLE]
    names += manifest.vocabularies
    return {name: sha256_file(folder / name) for name in names if (folder / name).is_file()}
