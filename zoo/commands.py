"""What each command of `zoo.cli` does: it takes parsed flags, calls the rooms that do the work, says what came of it.

Heavy imports stand inside the commands: `zoo check` must not wait for TensorFlow.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ServeError, UsageError

if TYPE_CHECKING:
    from zoo.export import Exported
    from zoo.manifest import Manifest

TRAIN_MODULES = ("keras", "yaml", "rich", "tensorboard")
EXPORT_MODULES = ("tensorflow", "onnx", "tf2onnx")
SERVE_MODULES = ("fastapi", "uvicorn", "prometheus_client")


def build(options: argparse.Namespace) -> int:
    """Train, export, say what to do next; or describe with --dry-run."""
    if options.json and not options.dry_run:
        raise UsageError("--json goes with --dry-run")
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    _need("build", (*TRAIN_MODULES, *(EXPORT_MODULES if backend == "tensorflow" else (backend,))))
    from zoo import spec as language

    seed = [f"training.seed={options.seed}"] if options.seed is not None else []
    spec = language.read(language.find(options.spec), [*options.overrides, *seed])
    if not options.verbose:
        _silence()
    if options.dry_run:
        from zoo import describe

        described = describe.facts(spec)
        print(json.dumps(described) if options.json else describe.text(spec, described))
        return 0
    from zoo import exportable, training

    exportable.exported_plans(spec)  # what cannot leave is said before it is trained, and so is where it cannot stand
    _can_hold("--out", options.out / spec.name)
    run = training.train(spec, runs=options.runs, resume=options.resume, steps=options.steps, budget=options.budget)
    print(f"{spec.name}: stopped after step {run.step:,} ({run.reason}); exporting ...", file=sys.stderr)
    if backend != "tensorflow":
        return _export_under_tensorflow(run.step, options)
    from zoo import export

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves through the clean-up of half-written folders
    made = export.export(run, out=options.out)
    print(_ending(made, options))
    if options.precision:
        print("\n" + _converted(made.folder, options.precision, None))
    return 0


def convert(options: argparse.Namespace) -> int:
    """Write a variant beside the float32 file of every network, or of one."""
    _need("convert", ("onnx",), extra="convert")
    print(_converted(options.artifact, options.precision, options.network))
    return 0


def _converted(folder: Path, precision: str, network: str | None) -> str:
    from zoo import variants

    made, told = variants.add(folder, precision, network=network)
    lines = [_variant(facts, folder, precision) for facts in made]
    if not told:
        lines.append(f"{folder / 'README.md'}: not told of it: it is not the card that the manifest makes")
    return "\n".join(lines)


def _variant(facts: Manifest, folder: Path, precision: str) -> str:
    made, size = facts.variants[precision], (folder / facts.file).stat().st_size / 1e6
    return f"""\
{folder}/{made["file"]}: {made["bytes"] / 1e6:.1f} MB; {facts.file} has {size:.1f} MB
agrees with it to {_figures(made["parity"])}"""


def _can_hold(flag: str, folder: Path) -> None:
    """Raises UsageError when `folder` can be neither made nor replaced."""
    standing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not standing.is_dir():
        raise UsageError(f"{flag}: {standing} is a file; name a folder")
    for path in {standing, standing.parent if standing == folder.absolute() else standing}:
        if not os.access(path, os.W_OK | os.X_OK):
            raise UsageError(f"{flag}: there is no permission to write into {path}")


def _export_under_tensorflow(step: int, options: argparse.Namespace) -> int:
    """Export from the checkpoint in a process of its own, because Keras has one backend per process."""
    command = ["build", options.spec, "--resume", *_again(options), "--steps", str(step)]
    missing = [module for module in EXPORT_MODULES if find_spec(module) is None]
    if missing:
        print(f"{options.spec} is trained. To export it where {', '.join(missing)} is installed:")
        print(f"  KERAS_BACKEND=tensorflow zoo {shlex.join(command)}")
        return 0
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    return subprocess.run([sys.executable, "-m", "zoo.cli", *command], env=environment, check=False).returncode


def _ending(made: Exported, options: argparse.Namespace) -> str:
    """What was made, how good it is, and the three lines that a user would type next."""
    first = made.manifest
    artifact = shlex.quote(str(made.folder))
    network = f" --network {first.network}" if first.network else ""
    what, use, call = "64 samples", f"sample {artifact} -n 64 --seed 1 --out grid.png", "sample(16, seed=0).shape"
    if any(tensor.is_image for tensor in first.inputs):
        what, call = "images and their translations", "inputs"
        use = f"translate {artifact} photo.jpg{network} --fit crop --out photo.png"
    chosen = f", network='{first.network}'" if first.network else ""
    lines = "\n".join(_result(facts, made.folder) for facts in made.manifests)
    return f"""
{lines}
{what}: {made.folder / "samples.png"}

next:
  zoo {use}
  python -c "import zoo; print(zoo.load('{made.folder}'{chosen}).{call})"
  {shlex.join(["zoo", "build", options.spec, "--resume", *_again(options)])}"""


def _result(facts: Manifest, folder: Path) -> str:
    size, weights = (folder / facts.file).stat().st_size / 1e6, facts.weights
    kind = {"ema": "averaged weights", "last": "weights"}[weights["kind"]]
    return f"""\
{folder}/{facts.file}: {size:.1f} MB, {weights["parameters"]:,} parameters, {kind} of step {weights["step"]:,}
agrees with Keras to {_figures(facts.parity)}"""


def _figures(parity: Mapping[str, Any]) -> str:
    cases = ", ".join(f"{name} {value:.0e}" for name, value in parity["cases"].items())
    return f"{parity['max_abs_difference']:.1e} (limit {parity['tolerance']:g}): {cases}"


def _again(options: argparse.Namespace) -> list[str]:
    """The flags without which the run that was just made would not be found, or not be recognised."""
    places = (("--out", options.out, "exported"), ("--runs", options.runs, "runs"))
    flags = [part for flag, path, usual in places if path != Path(usual) for part in (flag, str(path))]
    seed = ["--seed", str(options.seed)] if options.seed is not None else []
    seed += ["--precision", options.precision] if options.precision else []
    return [*flags, *seed, *(part for change in options.overrides for part in ("--set", change))]


def serve(options: argparse.Namespace) -> int:
    """Serve a folder until told to stop."""
    _need("serve", SERVE_MODULES, extra="serve")
    from zoo.serve import run
    from zoo.serve.settings import Settings

    key = os.environ.get("ZOO_API_KEY", "")
    if options.api_key_file:
        key = options.api_key_file.read_text().strip()
        if not key:
            raise UsageError(f"--api-key-file: {options.api_key_file} is empty")
    settings = Settings(api_key=key).changed(options.overrides)
    return run.serve(options.folder, settings, host=options.host, port=options.port, quiet=options.quiet)


def check(options: argparse.Namespace) -> int:
    """Report all mistakes of all files."""
    _need("check", ("yaml",))
    from zoo import spec as language
    from zoo.errors import SpecError
    from zoo.spec.schema import specs_folder

    files: list[Path] = []
    for name in options.specs or [str(specs_folder())]:
        path = Path(name)
        files += sorted(path.rglob("*.yaml")) if path.is_dir() else [language.find(name)]
    bad = 0
    for file in files:
        try:
            language.read(file, options.overrides)
        except SpecError as error:
            bad += 1
            print(error, file=sys.stderr)
    if bad:
        print(f"{bad} of {len(files)} specs have mistakes", file=sys.stderr)
        return 2
    if not files:
        raise UsageError("there are no .yaml files here")
    print("1 spec is good" if len(files) == 1 else f"{len(files)} specs are good")
    return 0


def fetch(options: argparse.Namespace) -> int:
    """Bring data sets into the cache."""
    from zoo import data

    for name in options.names:
        print(f"{name}: {data.fetch(name)}")
    return 0


def list_models(options: argparse.Namespace) -> int:
    """One line per spec, with the artifact where there is one."""
    _need("list", ("yaml",))
    from zoo import manifest
    from zoo import spec as language
    from zoo.starter import shipped

    for name, path in shipped().items():
        spec = language.read(path)
        folder = options.out / name
        paper = spec.sections.paper
        state = "not built yet: zoo build " + name
        if (folder / manifest.MANIFEST_FILE).is_file():
            try:
                state = f"{folder}, {manifest.read_all(folder)[0].weights.get('images', 0):,} images of training"
            except ServeError as error:
                state = str(error)
        print(f"{name:<16} {spec.sections.title} ({paper.year if paper else 'no paper'}): {state}")
    return 0


def new(options: argparse.Namespace) -> int:
    """Write a starter."""
    _need("new", ("yaml",))
    from zoo import starter

    path = starter.write(options.name, base=options.base, folder=options.out)
    print(f"{path}\nnext:\n  zoo check {path}\n  zoo build {path} --dry-run\n  zoo build {path} --budget 1m")
    return 0


def bench(options: argparse.Namespace) -> int:
    """Print one line per variant; leave the machine alone meanwhile."""
    if bool(options.spec) == bool(options.serve):
        raise UsageError("name a spec, to measure its training, or an artifact: --serve exported/dcgan")
    if options.serve:
        return _bench_serve(options)
    _need("bench", (*TRAIN_MODULES, *EXPORT_MODULES))
    from zoo import spec as language

    spec = language.read(language.find(options.spec), options.overrides)
    _silence()
    from zoo import bench as race

    for result in race.training_steps(spec):
        print(result, flush=True)
    if options.artifact:
        for result in race.sampling(spec.plans["generator"], options.artifact):
            print(result, flush=True)
    return 0


def _bench_serve(options: argparse.Namespace) -> int:
    _need("bench --serve", SERVE_MODULES, extra="serve")
    from zoo.serve import bench as race

    asked = {"clients": options.clients, "images": options.images, "seconds": options.seconds}
    for line in race.race(options.serve, **asked):
        print(line, flush=True)
    return 0


def reproduce(options: argparse.Namespace) -> int:
    """Try a claim, or list them. Returns 0 when it holds, 3 when it does not."""
    from zoo.claims import catalogue as claims

    if not options.name:
        if options.quick or options.seeds or options.artifact:
            raise UsageError(f"which claim? There are: {', '.join(claims.CLAIMS)}")
        print(claims.listing())
        return 0
    chosen = claims.get(options.name)
    _need("reproduce", (*TRAIN_MODULES, *EXPORT_MODULES))
    if find_spec("matplotlib") is None:
        raise UsageError("`zoo reproduce` draws with matplotlib: pip install 'gan-zoo[claims]'")
    artifact = options.artifact or Path("exported") / chosen.spec
    if options.artifact and not (artifact / "manifest.json").is_file():
        raise UsageError(f"--artifact: {artifact} is not an exported model: it has no manifest.json")
    _can_hold("--out", options.out)
    _silence()
    seeds = tuple(options.seeds) if options.seeds else None
    how = claims.Options(quick=options.quick, seeds=seeds, folder=options.out, artifact=artifact)
    result = claims.reproduce(chosen.name, how)
    print(f"{result.text()}\n\n{options.out / result.name}.json, {result.name}.png")
    if options.artifact or ((artifact / "manifest.json").is_file() and not options.quick):
        claims.tell(result, options.out, artifact)
        print(f"{artifact / 'README.md'}: the card tells of it")
    return 0 if result.holds else 3


def _need(command: str, modules: Sequence[str], *, extra: str = "train") -> None:
    """Raises UsageError when the parts of an extra are not installed."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        how = f"pip install 'gan-zoo[{extra}]' (in a checkout: pip install -e '.[{extra}]')"
        raise UsageError(f"`zoo {command}` needs {', '.join(missing)}: {how}")


def _silence() -> None:
    """Send what the frameworks' C++ code writes to nowhere; Python's own stderr stays where it is.

    TensorFlow writes greetings before any log level is read, so the file descriptor itself must be replaced.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", module=r"(tf2onnx|tensorflow|keras|onnx|google)\b.*")
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
