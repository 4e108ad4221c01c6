"""What the commands of `zoo.cli` do, but for those that make artifacts: each takes parsed flags, calls the rooms that
do the work, says what came of it.

Heavy imports stand inside the commands: `zoo check` must not wait for TensorFlow.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Container
from importlib.util import find_spec
from pathlib import Path

from zoo import guards
from zoo.errors import ServeError, UsageError


def serve(options: argparse.Namespace) -> int:
    """Serve a folder until told to stop."""
    guards.need("serve", guards.SERVE_MODULES, extra="serve")
    from zoo.serve import run
    from zoo.serve.settings import Settings

    key = os.environ.get("ZOO_API_KEY", "")
    if options.api_key_file:
        try:
            key = options.api_key_file.read_text("utf-8").strip()
        except UnicodeDecodeError:
            raise UsageError(f"--api-key-file: {options.api_key_file} holds bytes that are no text") from None
        if not key:
            raise UsageError(f"--api-key-file: {options.api_key_file} is empty")
    settings = Settings(api_key=key).changed(options.overrides)
    return run.serve(options.folder, settings, host=options.host, port=options.port, quiet=options.quiet)


def check(options: argparse.Namespace) -> int:
    """Report all mistakes of all files."""
    guards.need("check", ("yaml",))
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
    guards.need("list", ("yaml",))
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
    guards.need("new", ("yaml",))
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
    guards.need("bench", (*guards.TRAIN_MODULES, *guards.EXPORT_MODULES))
    from zoo import spec as language

    spec = language.read(language.find(options.spec), options.overrides)
    if options.artifact:
        _draws(options.artifact, spec.plans)
    guards.silence()
    from zoo import bench as race

    for result in race.training_steps(spec):
        print(result, flush=True)
    if options.artifact:
        for result in race.sampling(spec.plans["generator"], options.artifact):
            print(result, flush=True)
    return 0


def _draws(artifact: Path, networks: Container[str]) -> None:
    """Raises UsageError for what is no generator of samples, before minutes are spent on its training."""
    from zoo import manifest

    if not (artifact / manifest.MANIFEST_FILE).is_file():
        raise UsageError(f"--artifact: {artifact} is not an exported model: it has no {manifest.MANIFEST_FILE}")
    if "generator" not in networks or any(tensor.is_image for tensor in manifest.read_all(artifact)[0].inputs):
        raise UsageError("--artifact: only the drawing of samples is measured, and here is no generator that draws any")


def _bench_serve(options: argparse.Namespace) -> int:
    guards.need("bench --serve", guards.SERVE_MODULES, extra="serve")
    from zoo.serve import bench as race

    asked = {"clients": options.clients, "images": options.images, "seconds": options.seconds}
    for line in race.race(options.serve, **asked):
        print(line, flush=True)
    return 0


def reproduce(options: argparse.Namespace) -> int:
    """Try a claim, or list them. Returns 0 when it holds, 3 when it does not."""
    guards.need("reproduce", (*guards.TRAIN_MODULES, *guards.EXPORT_MODULES))
    if find_spec("matplotlib") is None:
        raise UsageError("`zoo reproduce` draws with matplotlib: pip install 'gan-zoo[claims]'")
    guards.silence()
    from zoo.claims import catalogue as claims

    if not options.name:
        if options.quick or options.seeds or options.artifact:
            raise UsageError(f"which claim? There are: {', '.join(claims.CLAIMS)}")
        print(claims.listing())
        return 0
    chosen = claims.get(options.name)
    artifact = options.artifact or Path("exported") / chosen.spec
    if options.artifact and not (artifact / "manifest.json").is_file():
        raise UsageError(f"--artifact: {artifact} is not an exported model: it has no manifest.json")
    guards.can_hold("--out", options.out)
    seeds = tuple(options.seeds) if options.seeds else None
    how = claims.Options(quick=options.quick, seeds=seeds, folder=options.out, artifact=artifact)
    result = claims.reproduce(chosen.name, how)
    print(f"{result.text()}\n\n{options.out / result.name}.json, {result.name}.png")
    if options.artifact or ((artifact / "manifest.json").is_file() and not options.quick):
        claims.tell(result, options.out, artifact)
        print(f"{artifact / 'README.md'}: the card tells of it")
    return 0 if result.holds else 3
