"""Imports point down the floors, heavy packages stay where they belong, and a fresh process is light."""

import ast
import functools
import graphlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "zoo"

# A folder with Python files is a room; `zoo` is zoo/__init__.py. A room imports from rows above its own alone.
FLOORS = (
    ("core",),
    ("artifact", "data", "metrics"),
    ("runtime",),
    ("spec", "metrics.networks", "zoo"),
    ("nn", "serve", "evaluate"),
    ("train.algorithms", "report", "deploy"),
    ("train",),
    ("export", "claims"),
    ("cli",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# Package -> the rooms that may name it, at their top or inside a function.
KERAS = {"nn", "train", "train.algorithms", "export", "claims"}
HEAVY: dict[str, set[str]] = {
    "keras": KERAS,
    "tensorflow": {"nn", "export"},
    "jax": {"nn"},
    "torch": {"nn"},
    "tf2onnx": {"export"},
    "tensorboard": {"train", "export"},
    "matplotlib": {"claims", "report"},
    "onnx": {"metrics.networks", "export"},
    "onnxruntime": {"runtime", "export"},
    "ray": {"deploy"},
    "yaml": {"spec", "deploy"},
    **{name: {"serve", "deploy"} for name in ("fastapi", "pydantic", "starlette", "uvicorn", "prometheus_client")},
}
STANDARD_LIBRARY_ALONE = {"artifact"}  # NumPy is not needed to read what an artifact says of itself


def room_of(path):
    return ".".join(path.relative_to(PACKAGE).parts[:-1]) or "zoo"


def dotted(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {dotted(path): path for path in sorted(PACKAGE.rglob("*.py")) if "node_modules" not in path.parts}
ENTRANCES = {"zoo.__main__", "zoo.cli.__main__"}  # `python -m`: they stand above everything


def walk(node, *, top_level):
    """All statements, or only those that run when the module is imported."""
    for child in ast.iter_child_nodes(node):
        function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        if top_level and (function or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test))):
            continue
        yield child
        yield from walk(child, top_level=top_level)


@functools.cache
def imports(path, *, top_level=False):
    """Absolute dotted names that a file imports; `from a import b` is a.b."""
    found = set()
    for node in walk(ast.parse(path.read_text("utf-8")), top_level=top_level):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the whole name, not a relative one"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def module_of(name):
    """'zoo.spec.types.Part' -> 'zoo.spec.types'."""
    parts = name.split(".")
    return next(module for n in range(len(parts), 0, -1) if (module := ".".join(parts[:n])) in FILES)


def targets(path, *, top_level=False):
    names = imports(path, top_level=top_level)
    return {module_of(name) for name in names if name.split(".")[0] == "zoo"}


def test_every_folder_has_a_floor():
    assert {room_of(path) for path in FILES.values()} == set(FLOOR) and len(FLOOR) <= 20 and len(FLOORS) <= 10
    loose = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert loose == {"__init__.py", "__main__.py", "py.typed"}


@pytest.mark.parametrize("module", sorted(set(FILES) - ENTRANCES))
def test_imports_point_down(module):
    own = room_of(FILES[module])
    for target in targets(FILES[module]):
        other = room_of(FILES[target])
        assert other == own or FLOOR[other] < FLOOR[own], f"{module} imports {target}: {own} stands below {other}"


@pytest.mark.parametrize("package", HEAVY)
def test_a_heavy_package_is_named_only_where_it_may(package):
    users = {room_of(path) for path in FILES.values() if any(n.split(".")[0] == package for n in imports(path))}
    assert users <= HEAVY[package], f"{sorted(users - HEAVY[package])} may not import {package}"


def test_the_table_keeps_the_law_of_what_a_user_of_a_generator_installs():
    for room in ("core", "artifact", "runtime", "serve", "deploy"):
        allowed = {package for package, rooms in HEAVY.items() if room in rooms}
        assert not allowed & {"keras", "tensorflow", "jax", "torch"} and ("yaml" not in allowed or room == "deploy")


@pytest.mark.parametrize("module", [m for m, path in FILES.items() if room_of(path) in STANDARD_LIBRARY_ALONE])
def test_an_artifact_is_read_with_the_standard_library_alone(module):
    outside = {name.split(".")[0] for name in imports(FILES[module])} - {"zoo"}
    assert outside <= sys.stdlib_module_names


def test_no_module_imports_itself_in_a_circle():
    graph = {module: targets(path, top_level=True) - {module} for module, path in FILES.items()}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError with the circle


def test_a_file_name_says_which_file_it_is():
    names = Counter(path.name for path in FILES.values() if room_of(path) != "cli")
    shared = {name for name, count in names.items() if count > 1}
    assert shared <= {"__init__.py", "__main__.py", "base.py", "errors.py"}


def test_setup_lists_every_folder():
    listed = (ROOT / "setup.cfg").read_text("utf-8").partition("packages =")[2].partition("package_dir")[0].split()
    assert sorted(listed) == sorted({*(dotted(p) for p in FILES.values() if p.name == "__init__.py"), "zoo.specs"})


FRAMEWORKS = ("tensorflow", "keras", "jax", "torch")
FRESH = {
    "zoo": (*FRAMEWORKS, "yaml", "numpy", "onnxruntime"),
    "zoo.runtime.load": (*FRAMEWORKS, "yaml", "zoo.spec", "zoo.data", "onnxruntime"),
    "zoo.runtime.parity": (*FRAMEWORKS, "yaml", "zoo.spec", "zoo.data"),
    "zoo.artifact.manifest": (*FRAMEWORKS, "yaml", "numpy"),
    "zoo.export.precision": (*FRAMEWORKS,),
    "zoo.metrics.networks.judge": (*FRAMEWORKS, "yaml", "zoo.data"),
    "zoo.evaluate.measures": (*FRAMEWORKS, "onnx", "onnxruntime", "matplotlib"),  # for every card
    "zoo.spec.read": (*FRAMEWORKS, "numpy", "onnxruntime"),
    "zoo.data.catalogue": (*FRAMEWORKS, "yaml", "numpy"),
    "zoo.cli": (*FRAMEWORKS, "fastapi"),
    "zoo.serve.server": (*FRAMEWORKS, "yaml", "zoo.spec", "onnxruntime"),
}


@pytest.mark.parametrize("module", FRESH)
def test_a_fresh_process_stays_light(module):
    code = f"import {module}, json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not set(FRESH[module]) & set(json.loads(done.stdout))


@pytest.mark.parametrize("way", ["zoo", "zoo.cli"])
def test_python_m_is_the_command_line(way):
    done = subprocess.run(
        [sys.executable, "-m", way, "--version"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0 and done.stdout.startswith("gan-zoo ")
