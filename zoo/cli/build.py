"""`zoo build`: train a spec, export it, and print the result and the next commands."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.artifact.manifest import PRECISIONS
from zoo.cli import arguments, requirements
from zoo.cli.convert import converted, parity_text
from zoo.core import cards
from zoo.core.errors import ExportError, SpecError, UsageError
from zoo.core.files import free_space, megabytes, write_whole
from zoo.core.host import memory, require_packages

if TYPE_CHECKING:
    from zoo.artifact.manifest import Manifest
    from zoo.export.exporter import Exported
    from zoo.spec.read import Spec

HELP = "train a spec and export its generator as a checked ONNX file"
CAN = "can be exported"  # how the words of a rehearsal begin that found nothing wrong
EXAMPLES = """\
  zoo build specs/dcgan.yaml --budget 5m            train for five minutes at most, then export
  zoo build specs/dcgan.yaml --resume               go on where the last run ended
  zoo build specs/dcgan.yaml --dry-run              show networks, phases and memory, train nothing
  zoo build specs/dcgan.yaml --set data.source=digits --steps 200"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo build`."""
    parser.add_argument("spec", help="a YAML file, or the name of a spec that ships with the zoo")
    parser.add_argument("--out", type=Path, default=Path("exported"), help="folder for artifacts (default: exported)")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="folder for checkpoints, pictures, curves (default: runs)"
    )
    parser.add_argument("--steps", type=arguments.count, help="stop after this step (default: the spec's)")
    parser.add_argument(
        "--budget", type=arguments.budget, help="stop after this time, such as 90s, 5m, 2h (default: the spec's)"
    )
    parser.add_argument("--seed", type=int, help="the same as --set training.seed=N")
    parser.add_argument("--devices", metavar="N", help="GPUs that share each batch, or all: --set training.devices=N")
    arguments.add_device(parser, default="a GPU if Keras finds one, and a line if it overlooks one")
    parser.add_argument(
        "--deterministic", action="store_true", help="the same bits on the same GPU, for speed; CPUs have them anyway"
    )
    arguments.add_set(parser)
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --runs; without it an earlier run is set aside"
    )
    parser.add_argument(
        "--export", choices=("last", "best"), default="last",
        help="weights: of the last step, or of the best evaluation (spec: training.evaluate)",
    )  # fmt: skip
    parser.add_argument("--precision", choices=PRECISIONS, help="also write this variant of the exported file")
    parser.add_argument("--dry-run", action="store_true", help="build the networks and describe them")
    parser.add_argument("--json", action="store_true", help="with --dry-run: one JSON object on stdout")
    parser.add_argument(
        "--expand", action="store_true", help="with --dry-run: print the game of the algorithm, as YAML to paste"
    )
    parser.add_argument("--svg", type=Path, metavar="FILE", help="with --dry-run: draw the game into this file")
    parser.add_argument("--verbose", action="store_true", help="show the frameworks' own messages too")


def run(options: argparse.Namespace) -> int:
    """Train, export and print the next commands; or describe the networks with --dry-run."""
    if options.json and not options.dry_run:
        raise UsageError("--json goes with --dry-run")
    if (options.expand or options.svg) and not options.dry_run:
        raise UsageError(f"{'--expand' if options.expand else '--svg'} goes with --dry-run")
    backend = requirements.backend()
    require_packages(
        "build", (*requirements.TRAIN_MODULES, *(requirements.EXPORT_MODULES if backend == "tensorflow" else ()))
    )
    if backend != "tensorflow":
        require_packages("build", (backend,), extra=f"train,{backend}")
    from zoo.spec.cost_checks import beyond_the_machine
    from zoo.spec.read import read_spec, spec_file

    seed = [f"training.seed={options.seed}"] if options.seed is not None else []
    seed += [f"training.devices={options.devices}"] if options.devices else []
    same = ["training.deterministic=true"] if options.deterministic else []
    spec = read_spec(spec_file(options.spec), [*options.overrides, *seed, *same])
    if options.svg:
        _draw(spec, options.svg)
    if options.expand:
        from zoo.spec.game_expansion import expansion

        print(expansion(spec))
        return 0
    cards.choose(options.device)
    if not options.verbose:
        requirements.silence()
    _use(spec, options.device)
    if options.dry_run:
        from zoo.train.summary import summarize, summary_text

        described = summarize(spec)
        if spec.sections.algorithm is not None:
            described["export"] = _rehearsed(spec, options, backend)
        print(json.dumps(described) if options.json else summary_text(spec, described))
        return 0
    if spec.sections.training and (problem := beyond_the_machine(spec.plans, spec.sections.training, memory())):
        raise UsageError(f"{spec.path}: training.batch_size: {problem}. Take a smaller batch, or count with --dry-run")
    from zoo.export import exporter
    from zoo.export.replace import remove_leftovers
    from zoo.train import checkpoint, loop
    from zoo.train.monitor import BEST_FILE, why_unwatched

    exporter.exported_plans(spec)  # fails before minutes of training, as the next line does
    requirements.check_writable("--out", options.out / spec.name)
    remove_leftovers(options.out, spec.name)
    _check_space(spec, options.out)
    has_best = options.resume and (options.runs / spec.name / BEST_FILE).exists()
    if options.export == "best" and not has_best and (reason := why_unwatched(spec)):
        raise UsageError(f"--export best: {options.spec} is not evaluated while it trains: {reason}")
    reached = checkpoint.reached(options.runs / spec.name / checkpoint.FILE) if options.resume else 0
    if reached < (options.steps or loop.recipe(spec).steps):
        for network, words in _rehearsed(spec, options, backend).items():
            if not words.startswith(CAN):
                print(f"{spec.name}: {network}: {words}", file=sys.stderr)
    run = loop.train(
        spec, runs=options.runs, artifacts=options.out, resume=options.resume, steps=options.steps,
        budget=options.budget,
    )  # fmt: skip
    if options.export == "best":
        run = loop.best_of(run)
    which = f" the {run.best}, step {run.exported_step:,}" if run.best else ""
    print(f"{spec.name}: stopped after step {run.step:,} ({run.reason}); exporting{which} ...", file=sys.stderr)
    if backend != "tensorflow":
        return _export_under_tensorflow(run.step, options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # half-written folders are cleaned up
    exported = exporter.export(run, out=options.out)
    complete = spec.sections.training is not None and run.step >= spec.sections.training.steps
    print(_ending(exported, options, complete=complete))
    if exported.previous:
        here, kept = shlex.quote(str(exported.folder)), shlex.quote(str(exported.previous))
        print(f"\nthe earlier {spec.name} is kept in {kept}; this brings it back: rm -r {here} && mv {kept} {here}")
    if options.precision:
        print("\n" + converted(exported.folder, options.precision, None))
    return 0


def _draw(spec: Spec, path: Path) -> None:
    """Write the drawing of the game of a spec. Raises UsageError where there is none, or no file can be written."""
    from zoo.spec.game_drawing import game_svg
    from zoo.spec.game_expansion import described_game

    game = described_game(spec)
    if game is None:
        raise UsageError(f"--svg: {spec.path} has no algorithm to draw")
    try:
        write_whole(path, game_svg(game, spec.plans, spec.sections.title).encode())
    except OSError as error:
        raise UsageError(f"--svg: {path} cannot be written: {error.strerror}") from error
    print(f"{path}: the game of {spec.name}", file=sys.stderr)


def _rehearsed(spec: Spec, options: argparse.Namespace, backend: str) -> dict[str, str]:
    """Export the untrained networks to nowhere, in a process of its own unless Keras runs on TensorFlow.

    Raises SpecError for what cannot be exported, ExportError where the other process fails.
    """
    if backend == "tensorflow":
        from zoo.export.rehearsal import rehearse

        return rehearse(spec)
    if missing := [module for module in requirements.EXPORT_MODULES if find_spec(module) is None]:
        return dict.fromkeys(spec.exported, f"export is not tried: {', '.join(missing)} is not installed here")
    command = [sys.executable, "-m", "zoo.export.rehearsal", str(spec.path), *options.overrides]
    environment = cards.without_cards({**os.environ, "KERAS_BACKEND": "tensorflow"})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError) as error:
        text = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise ExportError(f"the export could not be tried under TensorFlow: {text}") from error
    if "error" in answer:
        raise SpecError(answer["error"])
    found: dict[str, str] = answer["found"]
    return found


def _use(spec: Spec, device: str | None) -> None:
    """Set Keras's backend up for the device. Raises UsageError where it is not there, or too small for a step."""
    from zoo.nn import devices
    from zoo.spec.cost_checks import beyond_the_card

    training = spec.sections.training
    if training is None:
        return devices.use(device)
    devices.use(device, precision=training.precision, deterministic=training.deterministic)
    if devices.accelerators() and (problem := beyond_the_card(spec.plans, training)):
        raise UsageError(f"{spec.path}: training.batch_size: {problem}. Take a smaller batch, or --device cpu")
    return None


def _check_space(spec: Spec, out: Path) -> None:
    """Check that the disk has space for the artifact, whose weights take 4 bytes each. Raises UsageError."""
    needed, free = 4 * sum(plan.parameters for plan in spec.leaving.values()), free_space(out)
    if free < needed:
        raise UsageError(
            f"--out: the disk of {out} has {megabytes(free)} free, the artifact needs {megabytes(needed)}. Free some "
            "space, or choose a folder on another disk"
        )


def _export_under_tensorflow(step: int, options: argparse.Namespace) -> int:
    """Export from the checkpoint in another process, because Keras has one backend per process."""
    command = ["build", options.spec, "--resume", *_same_run(options), "--steps", str(step)]
    missing = [module for module in requirements.EXPORT_MODULES if find_spec(module) is None]
    if missing:
        print(f"{options.spec} is trained. Export it where {', '.join(missing)} is installed:")
        print(f"  KERAS_BACKEND=tensorflow zoo {shlex.join(command)}")
        return 0
    environment = cards.without_cards({**os.environ, "KERAS_BACKEND": "tensorflow"})
    return subprocess.run([sys.executable, "-m", "zoo.cli", *command], env=environment, check=False).returncode


def _ending(exported: Exported, options: argparse.Namespace, *, complete: bool) -> str:
    """Return the lines after an export: its files, and the next commands; to train on unless the recipe is complete."""
    first = exported.manifest
    artifact = shlex.quote(str(exported.folder))
    network = f" --network {first.network}" if first.network else ""
    sheet, use, call = "samples", f"sample {artifact} -n 64 --seed 1 --out grid.png", "sample(16, seed=0).shape"
    if first.kind == "translation":
        sheet, call = "images and their translations", "inputs"
        use = f"translate {artifact} photo.jpg{network} --fit crop --out photo.png"
    chosen = f", network='{first.network}'" if first.network else ""
    lines = "\n".join(_result(manifest, exported.folder) for manifest in exported.manifests)
    train_on = "" if complete else f"\n  {shlex.join(['zoo', 'build', options.spec, '--resume', *_same_run(options)])}"
    return f"""
{lines}
{sheet}: {exported.folder / "samples.png"}

next:
  zoo {use}
  zoo evaluate {artifact} --quick
  python -c "import zoo; print(zoo.load('{exported.folder}'{chosen}).{call})"{train_on}"""


def _result(manifest: Manifest, folder: Path) -> str:
    size, weights = (folder / manifest.file).stat().st_size / 1e6, manifest.weights
    kind = {"ema": "averaged weights", "last": "weights"}[weights["kind"]]
    return f"""\
{folder}/{manifest.file}: {size:.1f} MB, {weights["parameters"]:,} parameters, {kind} of step {weights["step"]:,}
agrees with Keras to {parity_text(manifest.parity)}"""


def _same_run(options: argparse.Namespace) -> list[str]:
    """Return the flags that another command needs to find this run and to accept its checkpoint."""
    places = (("--out", options.out, "exported"), ("--runs", options.runs, "runs"))
    flags = [part for flag, path, usual in places if path != Path(usual) for part in (flag, str(path))]
    flags += ["--seed", str(options.seed)] if options.seed is not None else []
    flags += ["--devices", options.devices] if options.devices else []
    flags += ["--deterministic"] if options.deterministic else []
    flags += ["--precision", options.precision] if options.precision else []
    flags += ["--export", options.export] if options.export != "last" else []
    return [*flags, *(part for change in options.overrides for part in ("--set", change))]
