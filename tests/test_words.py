"""Docstrings say what is returned, in the field's form: an imperative sentence, then Args, Returns and Raises."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "zoo"
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if "node_modules" not in path.parts]
RIDDLES = re.compile(r"(What|Which|Whether|Why|Of|By)\b")

# Classes that README and docs use: their methods are documented as functions are.
PUBLIC = {
    "Algorithm", "Batches", "Dataset", "Domains", "Draws", "Generator", "Manifest", "Phase", "Registry", "Spec",
}  # fmt: skip


def room(path):
    return path.relative_to(PACKAGE).parent


@functools.cache
def names_across_folders():
    """(file, name) of everything that a file of another folder imports, and all names of modules imported whole."""
    found = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("zoo"):
                file = ROOT / (node.module.replace(".", "/") + ".py")
                for alias in node.names:
                    if file.is_file() and room(file) != room(path):
                        found.add((file, alias.name))
                    module = ROOT / node.module.replace(".", "/") / f"{alias.name}.py"
                    if module.is_file() and room(module) != room(path):
                        used = re.findall(rf"\b{alias.asname or alias.name}\.(\w+)", path.read_text("utf-8"))
                        found |= {(module, name) for name in used}
    return found


def documented(path):
    """(qualified name, node) of every function, class and module of a file."""
    tree = ast.parse(path.read_text("utf-8"))
    yield "module", tree
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, node


def lacking(node, text):
    """The sections that a function's docstring lacks: Args where it takes any, Returns where it gives, Raises."""
    arguments = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    arguments += [a.arg for a in (node.args.vararg, node.args.kwarg) if a]
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    arguments = [name for name in arguments if name not in ("self", "cls")]
    returns = node.returns is not None and ast.unparse(node.returns) not in ("None", "NoReturn")
    result = ["Args"] if arguments and "Args:" not in text else []
    gives = returns and not any("property" in decorator for decorator in decorators)
    result += ["Returns"] if gives and not re.search(r"\b(Returns|Yields):", text) else []
    raises = any(isinstance(inner, ast.Raise) and inner.exc is not None for inner in ast.walk(node))
    return result + (["Raises"] if raises and "Raises:" not in text else [])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_docstring_is_a_riddle(path):
    for name, node in documented(path):
        text = (ast.get_docstring(node) or "").strip()
        assert not RIDDLES.match(text), f"{path}: {name}: {text.splitlines()[0]}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_another_folder_imports_has_its_sections(path):
    wrong = []
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and (path, node.name) in names_across_folders():
            wrong += [f"{node.name}: {part}" for part in lacking(node, ast.get_docstring(node) or "")]
        if isinstance(node, ast.ClassDef) and node.name in PUBLIC:
            methods = [n for n in node.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]
            wrong += [
                f"{node.name}.{m.name}: {part}" for m in methods for part in lacking(m, ast.get_docstring(m) or "")
            ]
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and (path, node.name) in names_across_folders():
            wrong += [] if ast.get_docstring(node) else [f"{node.name}: docstring"]
    assert not wrong, f"{path.relative_to(ROOT)}: {', '.join(wrong)}"
