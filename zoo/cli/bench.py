from __future__ import annotations

import argparse
from collections.abc import Container
from pathlib import Path

from zoo.cli import arguments as flags
from zoo.cli import requirements
from zoo.core.errors import UsageError
from zoo.core.host import require_packages

HELP = "speed of training and sampling, as ratios measured in one run"
EXAMPLES = """\
  zoo bench specs/dcgan.yaml
  zoo bench specs/vanilla.yaml --artifact exported/vanilla
  zoo bench --serve exported/dcgan             200 clients against `zoo serve`, beside direct calls"""


def add_arguments(p: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo bench`."""
    p.add_argument("spec", nargs="?", help="a YAML file, or the name of a spec that ships with the zoo")
    p.add_argument("--serve", type=Path, metavar="ARTIFACT", help="measure serving instead of training")
    p.add_argument("--seconds", type=flags.steps, default=60, help="with --serve: how long clients ask (default: 60)")
    p.add_argument("--clients", type=flags.steps, default=200, help="with --serve: at a time (default: 200)")
    p.add_argument("--images", type=flags.steps, default=16, help="with --serve: in each request (default: 16)")
    p.add_argument("--artifact", type=Path, help="also compare ONNX Runtime with Keras on this export of the spec")
    flags.add_set(p)


def run(options: argparse.Namespace) -> int:
    """Print one line per variant; leave the machine alone meanwhile."""
    if bool(options.spec) == bool(options.serve):
        raise UsageError("name a spec, to measure its training, or an artifact: --serve exported/dcgan")
    if options.serve:
        return _serving(options)
    require_packages("bench", (*requirements.TRAIN_MODULES, *requirements.EXPORT_MODULES))
    from zoo.spec.read import read_spec, spec_file

    spec = read_spec(spec_file(options.spec), options.overrides)
    if options.artifact:
        _draws(options.artifact, spec.plans)
    requirements.silence()
    from zoo.train import speed

    for result in speed.training_steps(spec):
        print(result, flush=True)
    if options.artifact:
        for result in speed.sampling(spec.plans["generator"], options.artifact):
            print(result, flush=True)
    return 0


def _draws(artifact: Path, networks: Container[str]) -> None:
    """Raises UsageError for what is no generator of samples, before minutes are spent on its training."""
    from zoo.artifact.manifest import read_manifests, require_artifact

    require_artifact(artifact, "--artifact")
    if "generator" not in networks or read_manifests(artifact)[0].kind == "translation":
        raise UsageError("--artifact: only the drawing of samples is measured, and here is no generator that draws any")


def _serving(options: argparse.Namespace) -> int:
    require_packages("bench --serve", requirements.SERVE_MODULES, extra="serve")
    from zoo.serve import benchmark

    asked = {"clients": options.clients, "images": options.images, "seconds": options.seconds}
    for line in benchmark.race(options.serve, **asked):
        print(line, flush=True)
    return 0
