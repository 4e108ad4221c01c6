"""The command line: `zoo build|sample|check|fetch|list|new`. It parses flags and calls the rooms that do the work.

Heavy imports stand inside the commands: `zoo check` must not wait for TensorFlow.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from zoo import __version__
from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    from zoo.export import Exported

TRAIN_MODULES = ("keras", "tensorflow", "onnx", "tf2onnx", "yaml", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 2 for the user's mistake, 1 for ours, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except ZooError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    top = argparse.ArgumentParser(prog="zoo", description="GANs as YAML specs, shipped as checked ONNX files.")
    top.add_argument("--version", action="version", version=f"gan-zoo {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_build, _add_sample, _add_check, _add_fetch, _add_list, _add_new):
        add(commands)
    return top


def _command(commands: argparse._SubParsersAction, name: str, text: str, examples: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=text, description=text, epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip


def _add_build(commands: argparse._SubParsersAction) -> None:
    p = _command(commands, "build", "train a spec and export its generator as a checked ONNX file", """\
  zoo build specs/dcgan.yaml --budget 5m            train for five minutes at most, then export
  zoo build specs/dcgan.yaml --resume               go on where the last run ended
  zoo build specs/dcgan.yaml --dry-run              show networks, phases and memory, train nothing
  zoo build specs/dcgan.yaml --set data.source=digits --steps 200""")  # fmt: skip
    p.add_argument("spec", help="a YAML file, or the name of a spec that ships with the zoo")
    p.add_argument("--out", type=Path, default=Path("exported"), help="folder for artifacts (default: exported)")
    p.add_argument(
        "--runs", type=Path, default=Path("runs"), help="folder for checkpoints, pictures, curves (default: runs)"
    )
    p.add_argument("--steps", type=_steps, help="stop after this step (default: the spec's)")
    p.add_argument("--budget", type=_budget, help="stop after this time, such as 90s, 5m, 2h (default: the spec's)")
    p.add_argument("--seed", type=int, help="the same as --set training.seed=N")
    _add_set(p)
    p.add_argument(
        "--resume", action="store_true", help="continue the run in --runs; without it an earlier run is set aside"
    )
    p.add_argument("--dry-run", action="store_true", help="build the networks and describe them")
    p.add_argument("--json", action="store_true", help="with --dry-run: one JSON object on stdout")
    p.add_argument("--verbose", action="store_true", help="let the frameworks write their own messages too")
    p.set_defaults(run=build)


def _add_set(p: argparse.ArgumentParser) -> None:
    p.add_argument("--set", dest="overrides", metavar="a.b.c=value", nargs="+", action="extend", default=[],
                   help="change values of the spec, such as training.batch_size=64 data.source=digits")  # fmt: skip


def _add_sample(commands: argparse._SubParsersAction) -> None:
    p = _command(commands, "sample", "draw pictures from an exported generator", """\
  zoo sample exported/dcgan -n 64 --seed 0 --out grid.png
  zoo sample exported/dcgan -n 1000 --out samples.npy       one array, uint8 [n, height, width, channels]
  zoo sample exported/dcgan -n 10 --interpolate --out walk.png""")  # fmt: skip
    p.add_argument("artifact", help="a folder such as exported/dcgan, or a lone .onnx file")
    p.add_argument("-n", type=int, default=64, help="how many (default: 64)")
    p.add_argument("--seed", type=int, default=0, help="the same seed gives the same pictures (default: 0)")
    p.add_argument("--label", help="a class name or id, for generators with classes")
    p.add_argument("--interpolate", action="store_true", help="walk from one latent to another instead")
    p.add_argument(
        "--out", type=Path, default=Path("samples.png"), help="a .png grid or a .npy array (default: samples.png)"
    )
    p.set_defaults(run=sample)


def _add_check(commands: argparse._SubParsersAction) -> None:
    p = _command(commands, "check", "find every mistake in specs, without training or TensorFlow", """\
  zoo check specs/*.yaml
  zoo check my_specs/              all .yaml files of a folder""")  # fmt: skip
    p.add_argument("specs", nargs="*", help="files or folders (default: all specs that ship with the zoo)")
    _add_set(p)
    p.set_defaults(run=check)


def _add_fetch(commands: argparse._SubParsersAction) -> None:
    p = _command(
        commands, "fetch", "download a data set ahead of time, checked by its SHA-256", "  zoo fetch fashion_mnist"
    )
    p.add_argument("names", nargs="+", metavar="NAME", help="such as fashion_mnist, mnist, cifar10")
    p.set_defaults(run=fetch)


def _add_list(commands: argparse._SubParsersAction) -> None:
    p = _command(commands, "list", "the models of the zoo, and which of them are exported here", "  zoo list")
    p.add_argument("--out", type=Path, default=Path("exported"), help="folder of artifacts (default: exported)")
    p.set_defaults(run=list_models)


def _add_new(commands: argparse._SubParsersAction) -> None:
    p = _command(commands, "new", "begin a spec of your own", """\
  zoo new my_gan                       a commented starter with every knob
  zoo new my_gan --from dcgan""")  # fmt: skip
    p.add_argument("name", help="a lower-case word; the file is NAME.yaml")
    p.add_argument("--from", dest="base", default="_template", help="a spec that ships with the zoo")
    p.add_argument("--out", type=Path, default=Path("."), help="folder for the file (default: here)")
    p.set_defaults(run=new)


def build(options: argparse.Namespace) -> int:
    """Train, export, say what to do next; or describe with --dry-run."""
    if options.json and not options.dry_run:
        raise UsageError("--json goes with --dry-run")
    _need("build", TRAIN_MODULES)
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
    from zoo import export, training

    run = training.train(spec, runs=options.runs, resume=options.resume, steps=options.steps, budget=options.budget)
    print(f"{spec.name}: stopped after step {run.step:,} ({run.reason}); exporting ...", file=sys.stderr)
    print(_ending(export.export(run, out=options.out), options))
    return 0


def _ending(made: Exported, options: argparse.Namespace) -> str:
    """What was made, how good it is, and the three lines that a user would type next."""
    folder, facts = made.folder, made.manifest
    size, weights, parity = (folder / "generator.onnx").stat().st_size / 1e6, facts.weights, facts.parity
    kind = {"ema": "averaged weights", "last": "weights"}[weights["kind"]]
    cases = ", ".join(f"{name} {value:.0e}" for name, value in parity["cases"].items())
    return f"""
{folder}/generator.onnx: {size:.1f} MB, {weights["parameters"]:,} parameters, {kind} of step {weights["step"]:,}
agrees with Keras to {parity["max_abs_difference"]:.1e} (limit {parity["tolerance"]:g}): {cases}
64 samples: {folder / "samples.png"}

next:
  python tools/sample.py {folder} -n 64 --seed 1 --out grid.png
  python -c "import zoo; print(zoo.load('{folder}').sample(16, seed=0).shape)"
  python tools/build.py {options.spec} --resume"""


def sample(options: argparse.Namespace) -> int:
    """Write a grid of samples, or an array."""
    import zoo
    from zoo import pictures
    from zoo.manifest import write_whole

    if options.out.suffix not in (".png", ".npy"):
        raise UsageError(f"--out must end in .png (a grid) or .npy (an array), received '{options.out}'")
    generator = zoo.load(options.artifact)
    label = int(options.label) if options.label and options.label.isdecimal() else options.label
    draw = generator.interpolate if options.interpolate else generator.sample
    images = draw(options.n, options.seed, label=label)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if options.out.suffix == ".npy":
        import io

        import numpy as np

        buffer = io.BytesIO()
        np.save(buffer, images)
        write_whole(options.out, buffer.getvalue())
    else:
        pictures.write_png(options.out, pictures.picture(images))
    print(f"{options.out}: {options.n} from {generator.title}, seed {options.seed}")
    return 0


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
    print(f"{len(files)} specs are good" if files else "there are no .yaml files here")
    return 0 if files else 2


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
            facts = manifest.read(folder)
            state = f"{folder}, {facts.weights.get('images', 0):,} images of training"
        print(f"{name:<16} {spec.sections.title} ({paper.year if paper else 'no paper'}): {state}")
    return 0


def new(options: argparse.Namespace) -> int:
    """Write a starter."""
    from zoo import starter

    path = starter.write(options.name, base=options.base, folder=options.out)
    print(f"{path}\nnext:\n  zoo check {path}\n  zoo build {path} --dry-run\n  zoo build {path} --budget 1m")
    return 0


def _steps(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, received '{text}'")
    return int(text)


def _budget(text: str) -> float:
    import re

    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?[smh]", text):
        raise argparse.ArgumentTypeError(f"expected a time such as 90s, 5m or 2h, received '{text}'")
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def _need(command: str, modules: Sequence[str]) -> None:
    """Raises UsageError when training parts are not installed."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        how = "pip install 'gan-zoo[train]' (in a checkout: pip install -e '.[train]')"
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


def run() -> NoReturn:
    """The console script."""
    sys.exit(main())
