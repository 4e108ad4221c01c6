"""Imports point downwards only: the table of rooms, held against the code and against a fresh process."""

import ast
import functools
import graphlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "zoo"

# Room -> the rooms that it may import, every one of them further up in this table. A room is a module or a package; a
# module that stands here by its own name (spec.generate) is a room apart. `zoo` itself holds the version and `load`.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "lock": {"errors"},
    "machine": set(),
    "registry": set(),
    "tensor": {"errors"},
    "manifest": {"errors", "registry", "tensor"},
    "arrays": {"errors", "tensor"},
    "priors": {"registry"},
    "wire": set(),
    "session": {"errors", "manifest", "tensor", "wire"},
    "inputs": {"arrays", "errors", "manifest", "priors", "registry", "tensor"},
    "runtime": {"arrays", "errors", "inputs", "manifest", "session"},
    "loading": {"arrays", "errors", "manifest", "registry", "runtime", "session"},
    "zoo": {"loading", "runtime"},
    "parity": {"errors", "loading", "runtime", "session"},
    "inspection": {"errors", "loading", "manifest", "tensor", "wire"},
    "cases": {"arrays", "manifest", "priors", "tensor"},
    "pictures": {"errors", "manifest"},
    "data.catalogue": {"errors"},
    "data": {"arrays", "data.catalogue", "errors", "registry"},
    "draw": {"arrays", "data", "errors", "manifest", "pictures", "runtime", "tensor", "zoo"},
    "serve": {
        "arrays", "data", "data.catalogue", "errors", "loading", "machine", "manifest", "pictures", "priors",
        "registry", "runtime", "tensor", "zoo",
    },
    "deploy": {"errors", "loading", "manifest", "serve", "session", "tensor"},
    "spec": {"data.catalogue", "errors", "machine", "registry"},
    "sizes": {"spec", "tensor"},
    "metrics": {"errors", "registry"},
    "judge": {"errors", "session"},
    "judge.making": {"data", "errors", "judge", "manifest", "session"},
    "features": {"data", "errors", "judge", "manifest", "session"},
    "layers": {"registry", "spec"},
    "losses": {"registry", "spec"},
    "initializers": {"errors", "registry"},
    "optimizers": {"errors", "registry", "spec"},
    "networks": {"errors", "initializers", "layers", "spec"},
    "autodiff": {"errors"},
    "penalties": {"autodiff", "registry", "spec"},
    "algorithms": {
        "autodiff", "errors", "layers", "losses", "networks", "optimizers", "penalties", "registry", "spec",
    },
    "spec.generate": {
        "algorithms", "data", "initializers", "layers", "losses", "optimizers", "penalties", "priors", "registry",
        "spec",
    },
    "callbacks": {"errors"},
    "checkpoint": {"algorithms", "errors", "spec"},
    "latents": {"priors", "spec"},
    "examples": {"data", "spec"},
    "fold": {"algorithms", "networks", "spec"},
    "film": {"algorithms", "arrays", "data", "errors", "fold", "latents", "pictures", "priors", "spec"},
    "watching": {
        "algorithms", "arrays", "data", "errors", "fold", "judge", "latents", "manifest", "metrics", "networks",
        "pictures", "priors", "spec",
    },
    "training": {
        "algorithms", "autodiff", "callbacks", "checkpoint", "data", "errors", "examples", "film", "initializers",
        "latents", "lock", "machine", "priors", "spec", "watching",
    },
    "exportable": {"errors", "spec", "training"},
    "probes": {
        "arrays", "data", "errors", "examples", "exportable", "latents", "pictures", "priors", "runtime", "spec",
        "training",
    },
    "onnx_graph": {"errors"},
    "convert": {"layers", "manifest", "networks", "onnx_graph", "sizes", "spec", "zoo"},
    "claims.result": {"errors"},
    "scores": {"errors", "manifest"},
    "card": {"claims.result", "errors", "manifest", "scores", "spec", "tensor"},
    "history": {"data", "errors", "manifest", "pictures"},
    "half": {"arrays", "errors", "onnx_graph", "session"},
    "variants": {"card", "cases", "errors", "half", "manifest", "parity", "runtime", "zoo"},
    "export": {
        "arrays", "card", "cases", "convert", "data.catalogue", "errors", "exportable", "fold", "history", "manifest",
        "networks", "parity", "pictures", "priors", "probes", "runtime", "sizes", "spec", "tensor", "training", "zoo",
    },
    "describe": {"errors", "networks", "spec", "training"},
    "bench": {"algorithms", "errors", "examples", "networks", "spec", "training", "zoo"},
    "starter": {"errors", "registry", "spec"},
    "claims": {
        "algorithms", "arrays", "autodiff", "bench", "card", "checkpoint", "claims.result", "data", "errors",
        "examples", "judge", "latents", "losses", "machine", "manifest", "metrics", "priors", "registry", "spec",
        "training", "zoo",
    },
    "flags": set(),
    "guards": {"errors"},
    "evaluation": {
        "card", "data", "errors", "examples", "features", "guards", "inputs", "judge", "machine", "manifest",
        "metrics", "registry", "runtime", "scores", "spec", "zoo",
    },
    "report": {
        "card", "errors", "evaluation", "guards", "inputs", "loading", "manifest", "pictures", "scores", "spec", "zoo",
    },
    "building": {
        "describe", "errors", "export", "exportable", "flags", "guards", "manifest", "spec", "training", "variants",
        "watching",
    },
    "commands": {
        "bench", "claims", "data", "errors", "guards", "manifest", "serve", "spec", "starter", "zoo",
    },
    "cli": {
        "building", "commands", "deploy", "draw", "errors", "evaluation", "flags", "inspection", "manifest", "report",
        "zoo",
    },
}  # fmt: skip

# Package -> the rooms that may name it, at their top or inside a function.
KERAS = {
    "algorithms", "autodiff", "callbacks", "checkpoint", "claims", "convert", "export", "film", "fold",
    "initializers", "judge.making", "layers", "losses", "networks", "optimizers", "penalties", "spec.generate",
    "training", "watching",
}  # fmt: skip
HEAVY: dict[str, set[str]] = {
    "keras": KERAS,
    "tensorflow": {"autodiff", "convert", "export", "judge.making"},
    "jax": {"autodiff"},
    "torch": {"autodiff"},
    "tf2onnx": {"convert", "judge.making"},
    "matplotlib": {"claims", "report"},
    "onnx": {"features", "half", "onnx_graph"},
    "onnxruntime": {"half", "session"},
    "ray": {"deploy"},
    "yaml": {"spec"},
    **{package: {"serve"} for package in ("fastapi", "pydantic", "starlette", "uvicorn", "prometheus_client")},
}
LIGHT = {"errors", "registry", "manifest", "tensor", "wire", "data.catalogue"}  # the standard library alone


def module_name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "zoo"


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room(name):
    """The room of a dotted name below `zoo`: the longest entry of the table that it begins with, or None."""
    parts = name.split(".")
    return next((r for n in range(len(parts), 0, -1) if (r := ".".join(parts[:n])) in ROOMS), None)


def walk(node, *, top_level):
    """All statements, or only those that run when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if top_level and (
            isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or _is_type_checking(child)
        ):
            continue
        yield child
        yield from walk(child, top_level=top_level)


def _is_type_checking(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


@functools.cache
def imports(path, *, top_level=False):
    """Absolute dotted names that a file imports; `from a import b` is a.b."""
    found = set()
    for node in walk(ast.parse(path.read_text()), top_level=top_level):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the whole name, not a relative one"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def below_zoo(name):
    """'zoo.spec.types.Part' -> 'spec.types.Part'; what is no module of its own belongs to `zoo` itself."""
    rest = name.partition(".")[2]
    return rest if rest.split(".")[0] in {module.split(".")[0] for module in FILES} else "zoo"


def test_the_table_points_downwards():
    order = list(ROOMS)
    for name, allowed in ROOMS.items():
        for other in allowed:
            assert other in ROOMS, f"'{name}' may import '{other}', which is no room"
            assert order.index(other) < order.index(name), (
                f"'{other}' stands below '{name}' and may not be imported by it"
            )


@pytest.mark.parametrize("module", FILES)
def test_every_module_has_a_room(module):
    assert room(module), f"zoo/{module.replace('.', '/')}.py: say in ROOMS what it may import"


@pytest.mark.parametrize("module", [m for m in FILES if room(m)])
def test_a_module_imports_only_what_its_room_may(module):
    own = room(module)
    used = {room(below_zoo(name)) for name in imports(FILES[module]) if name.split(".")[0] == "zoo"} - {own}
    assert used <= ROOMS[own], f"{module} imports {sorted(map(str, used - ROOMS[own]))}"


@pytest.mark.parametrize("package", HEAVY)
def test_a_heavy_package_is_named_only_where_it_may(package):
    users = {room(module) for module, path in FILES.items() if any(n.split(".")[0] == package for n in imports(path))}
    assert users <= HEAVY[package], f"{sorted(map(str, users - HEAVY[package]))} may not import {package}"


@pytest.mark.parametrize("module", [m for m in FILES if room(m) in LIGHT])
def test_a_light_module_needs_the_standard_library_alone(module):
    outside = {name.split(".")[0] for name in imports(FILES[module])} - {"zoo"}
    assert outside <= sys.stdlib_module_names


def test_no_module_imports_itself_in_a_circle():
    graph = {}
    for module, path in FILES.items():
        names = [below_zoo(n) for n in imports(path, top_level=True) if n.split(".")[0] == "zoo"]
        longest = [
            next(f for i in range(len(p), 0, -1) if (f := ".".join(p[:i])) in FILES)
            for p in (n.split(".") for n in names)
        ]
        graph[module] = set(longest) - {module, "zoo"}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError with the circle


def test_tools_go_through_the_command_line():
    for path in (ROOT / "tools").glob("*.py"):
        rooms = {room(below_zoo(name)) for name in imports(path) if name.split(".")[0] == "zoo"}
        assert rooms <= {"cli", "judge", "judge.making", "spec", "spec.generate"}, path.name


FRAMEWORKS = ("tensorflow", "keras", "jax", "torch")
FRESH = {
    "zoo": (*FRAMEWORKS, "yaml", "numpy", "onnxruntime"),
    "zoo.loading": (*FRAMEWORKS, "yaml", "zoo.spec", "zoo.data", "onnxruntime"),
    "zoo.parity": (*FRAMEWORKS, "yaml", "zoo.spec", "zoo.data"),
    "zoo.manifest": (*FRAMEWORKS, "yaml", "numpy"),
    "zoo.variants": (*FRAMEWORKS, "yaml", "zoo.spec"),
    "zoo.judge": (*FRAMEWORKS, "yaml", "zoo.data"),
    "zoo.spec": (*FRAMEWORKS, "numpy", "onnxruntime"),
    "zoo.data": (*FRAMEWORKS, "yaml", "numpy"),
    "zoo.cli": (*FRAMEWORKS, "fastapi"),
    "zoo.serve.run": (*FRAMEWORKS, "yaml", "zoo.spec", "onnxruntime"),
}


@pytest.mark.parametrize("module", FRESH)
def test_a_fresh_process_stays_light(module):
    code = f"import {module}, json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not set(FRESH[module]) & set(json.loads(done.stdout))
