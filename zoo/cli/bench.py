"""`zoo bench`: measure the speed of training, sampling or serving."""

from __future__ import annotations

import argparse
from collections.abc import Container
from pathlib import Path

from zoo.cli import arguments, requirements
from zoo.core.errors import UsageError
from zoo.core.host import require_packages

HELP = "measure the speed of training, sampling or serving, as ratios in one run"
EXAMPLES = """\
  zoo bench specs/dcgan.yaml
  zoo bench specs/vanilla.yaml --artifact exported/vanilla
  zoo bench specs/dcgan.yaml --feeding         images a second that a card could be fed
  zoo bench --serve exported/dcgan             200 clients against `zoo serve`, beside direct calls"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo bench`."""
    parser.add_argument("spec", nargs="?", help="a YAML file, or the name of a spec that ships with the zoo")
    parser.add_argument("--serve", type=Path, metavar="ARTIFACT", help="measure serving instead of training")
    parser.add_argument(
        "--seconds", type=arguments.count, default=60, help="with --serve: time of all requests together (default: 60)"
    )
    parser.add_argument(
        "--clients", type=arguments.count, default=200, help="with --serve: clients at the same time (default: 200)"
    )
    parser.add_argument(
        "--images", type=arguments.count, default=16, help="with --serve: images of each request (default: 16)"
    )
    parser.add_argument(
        "--feeding", action="store_true", help="measure how fast batches reach a step that does nothing"
    )
    arguments.add_device(parser, default="a GPU if Keras finds one")
    parser.add_argument("--artifact", type=Path, help="also compare ONNX Runtime with Keras on this export of the spec")
    arguments.add_set(parser)


def run(options: argparse.Namespace) -> int:
    """Print one line per variant; leave the machine alone meanwhile."""
    if bool(options.spec) == bool(options.serve):
        raise UsageError("name a spec, to measure its training, or an artifact: --serve exported/dcgan")
    if options.serve and options.device:
        raise UsageError("--device goes with a spec; serving is measured on the CPU")
    if options.feeding and (options.serve or options.artifact):
        raise UsageError("--feeding goes with a spec alone")
    if options.serve:
        return _serving(options)
    require_packages("bench", (*requirements.TRAIN_MODULES, *requirements.EXPORT_MODULES))
    from zoo.spec.read import read_spec, spec_file

    spec = read_spec(spec_file(options.spec), options.overrides)
    if options.artifact:
        _check_draws(options.artifact, spec.plans)
    provider = arguments.provider(options)
    requirements.silence()
    from zoo.nn import devices
    from zoo.train import speed

    devices.use(options.device)
    if options.feeding:
        from zoo.train import feeding

        for result in feeding.feeding(spec):
            print(result, flush=True)
        return 0
    for result in speed.training_steps(spec):
        print(result, flush=True)
    if options.artifact:
        for result in speed.sampling(spec.plans["generator"], options.artifact, provider=provider):
            print(result, flush=True)
    return 0


def _check_draws(artifact: Path, networks: Container[str]) -> None:
    """Check that the artifact and the spec draw samples, before minutes are spent on training. Raises UsageError."""
    from zoo.artifact.artifact_folders import require_artifact
    from zoo.artifact.manifest import read_manifests

    require_artifact(artifact, "--artifact")
    if "generator" not in networks or read_manifests(artifact)[0].kind == "translation":
        raise UsageError(f"--artifact: only generators of samples can be compared; the spec or {artifact} translates")


def _serving(options: argparse.Namespace) -> int:
    require_packages("bench --serve", requirements.SERVE_MODULES, extra="serve")
    from zoo.serve import benchmark

    lines = benchmark.compare(options.serve, clients=options.clients, images=options.images, seconds=options.seconds)
    for line in lines:
        print(line, flush=True)
    return 0
