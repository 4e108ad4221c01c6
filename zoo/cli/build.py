"""What `zoo build` and `zoo convert` do: they make artifacts, and say what came of it and what is next.

Heavy imports stand inside the commands, behind what says that something is not installed.
"""

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
from zoo.core.errors import UsageError
from zoo.core.host import require_packages

if TYPE_CHECKING:
    from zoo.artifact.manifest import Manifest
    from zoo.export.exporter import Exported


HELP = "train a spec and export its generator as a checked ONNX file"
EXAMPLES = """\
  zoo build specs/dcgan.yaml --budget 5m            train for five minutes at most, then export
  zoo build specs/dcgan.yaml --resume               go on where the last run ended
  zoo build specs/dcgan.yaml --dry-run              show networks, phases and memory, train nothing
  zoo build specs/dcgan.yaml --set data.source=digits --steps 200"""


def add_arguments(p: argparse.ArgumentParser) -> None:
    """The flags of `zoo build`."""
    p.add_argument("spec", help="a YAML file, or the name of a spec that ships with the zoo")
    p.add_argument("--out", type=Path, default=Path("exported"), help="folder for artifacts (default: exported)")
    p.add_argument(
        "--runs", type=Path, default=Path("runs"), help="folder for checkpoints, pictures, curves (default: runs)"
    )
    p.add_argument("--steps", type=arguments.steps, help="stop after this step (default: the spec's)")
    p.add_argument(
        "--budget", type=arguments.budget, help="stop after this time, such as 90s, 5m, 2h (default: the spec's)"
    )
    p.add_argument("--seed", type=int, help="the same as --set training.seed=N")
    arguments.add_set(p)
    p.add_argument(
        "--resume", action="store_true", help="continue the run in --runs; without it an earlier run is set aside"
    )
    p.add_argument("--export", choices=("last", "best"), default="last",
                   help="weights: of the last step, or of the best evaluation (spec: training.evaluate)")  # fmt: skip
    p.add_argument("--precision", choices=PRECISIONS, help="also write this variant of the exported file")
    p.add_argument("--dry-run", action="store_true", help="build the networks and describe them")
    p.add_argument("--json", action="store_true", help="with --dry-run: one JSON object on stdout")
    p.add_argument("--verbose", action="store_true", help="let the frameworks write their own messages too")


def run(options: argparse.Namespace) -> int:
    """Train, export, say what to do next; or describe with --dry-run."""
    if options.json and not options.dry_run:
        raise UsageError("--json goes with --dry-run")
    backend = requirements.backend()
    require_packages(
        "build", (*requirements.TRAIN_MODULES, *(requirements.EXPORT_MODULES if backend == "tensorflow" else ()))
    )
    if backend != "tensorflow":
        require_packages("build", (backend,), extra=f"train,{backend}")
    from zoo.spec.read import read_spec, spec_file

    seed = [f"training.seed={options.seed}"] if options.seed is not None else []
    spec = read_spec(spec_file(options.spec), [*options.overrides, *seed])
    if not options.verbose:
        requirements.silence()
    if options.dry_run:
        from zoo.train.summary import summarize, summary_text

        described = summarize(spec)
        print(json.dumps(described) if options.json else summary_text(spec, described))
        return 0
    from zoo.export import exporter
    from zoo.train import loop
    from zoo.train.monitor import BEST_FILE, why_unwatched

    exporter.exported_plans(spec)  # what cannot leave is said before it is trained, and so is where it cannot stand
    requirements.can_hold("--out", options.out / spec.name)
    seen = options.resume and (options.runs / spec.name / BEST_FILE).exists()
    if options.export == "best" and not seen and (reason := why_unwatched(spec)):
        raise UsageError(f"--export best: nobody watches the training of {options.spec}: {reason}")
    run = loop.train(spec, runs=options.runs, resume=options.resume, steps=options.steps, budget=options.budget)
    if options.export == "best":
        run = loop.best_of(run)
    which = f" the {run.best}, step {run.exported_step:,}" if run.best else ""
    print(f"{spec.name}: stopped after step {run.step:,} ({run.reason}); exporting{which} ...", file=sys.stderr)
    if backend != "tensorflow":
        return _export_under_tensorflow(run.step, options)
    from zoo.export import exporter

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves through the clean-up of half-written folders
    made = exporter.export(run, out=options.out)
    complete = spec.sections.training is not None and run.step >= spec.sections.training.steps
    print(_ending(made, options, complete=complete))
    if options.precision:
        print("\n" + converted(made.folder, options.precision, None))
    return 0


def _export_under_tensorflow(step: int, options: argparse.Namespace) -> int:
    """Export from the checkpoint in a process of its own, because Keras has one backend per process."""
    command = ["build", options.spec, "--resume", *_again(options), "--steps", str(step)]
    missing = [module for module in requirements.EXPORT_MODULES if find_spec(module) is None]
    if missing:
        print(f"{options.spec} is trained. To export it where {', '.join(missing)} is installed:")
        print(f"  KERAS_BACKEND=tensorflow zoo {shlex.join(command)}")
        return 0
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    return subprocess.run([sys.executable, "-m", "zoo.cli", *command], env=environment, check=False).returncode


def _ending(made: Exported, options: argparse.Namespace, *, complete: bool) -> str:
    """What was made, how good it is, and what a user would type next: to train on, unless the recipe is `complete`."""
    first = made.manifest
    artifact = shlex.quote(str(made.folder))
    network = f" --network {first.network}" if first.network else ""
    what, use, call = "samples", f"sample {artifact} -n 64 --seed 1 --out grid.png", "sample(16, seed=0).shape"
    if first.kind == "translation":
        what, call = "images and their translations", "inputs"
        use = f"translate {artifact} photo.jpg{network} --fit crop --out photo.png"
    chosen = f", network='{first.network}'" if first.network else ""
    lines = "\n".join(_result(manifest, made.folder) for manifest in made.manifests)
    further = "" if complete else f"\n  {shlex.join(['zoo', 'build', options.spec, '--resume', *_again(options)])}"
    return f"""
{lines}
{what}: {made.folder / "samples.png"}

next:
  zoo {use}
  zoo evaluate {artifact} --quick
  python -c "import zoo; print(zoo.load('{made.folder}'{chosen}).{call})"{further}"""


def _result(manifest: Manifest, folder: Path) -> str:
    size, weights = (folder / manifest.file).stat().st_size / 1e6, manifest.weights
    kind = {"ema": "averaged weights", "last": "weights"}[weights["kind"]]
    return f"""\
{folder}/{manifest.file}: {size:.1f} MB, {weights["parameters"]:,} parameters, {kind} of step {weights["step"]:,}
agrees with Keras to {parity_text(manifest.parity)}"""


def _again(options: argparse.Namespace) -> list[str]:
    """The flags without which the run that was just made would not be found, or not be recognised."""
    places = (("--out", options.out, "exported"), ("--runs", options.runs, "runs"))
    flags = [part for flag, path, usual in places if path != Path(usual) for part in (flag, str(path))]
    seed = ["--seed", str(options.seed)] if options.seed is not None else []
    seed += ["--precision", options.precision] if options.precision else []
    seed += ["--export", options.export] if options.export != "last" else []
    return [*flags, *seed, *(part for change in options.overrides for part in ("--set", change))]
