"""Export every entry with the newest packages that setup.cfg allows, in a fresh virtual environment.

    python tools/newest.py [--keep FOLDER]

tf2onnx is the one way out of the zoo, and a release of TensorFlow, Keras, onnx or ONNX Runtime may close it. This takes
a quarter of an hour: it installs the `train` and `test` extras, runs the tests of exports, exports every entry there,
and writes docs/exporter.md: versions, date, and PASS or what broke. It ends with 1 where something broke.

`pip install uv` first: uv finds versions that go together in seconds, for which pip alone may need half an hour.
"""

from __future__ import annotations

import argparse
import ast
import datetime
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "exporter.md"
PACKAGES = ("tensorflow", "keras", "onnx", "tf2onnx", "onnxruntime-gpu", "onnxruntime", "numpy")
TESTS = ("tests/test_entries.py::test_it_is_exported_and_agrees", "tests/export")


def main() -> int:
    """Install, run, write the page. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="make the environment there, and leave it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        python = install(options.keep or Path(scratch) / "venv")
        found = versions(python)
        command = [python, "-m", "pytest", "-q", "-rfE", *TESTS]
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    print(done.stdout[-4000:], file=sys.stderr)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(found, done.returncode, done.stdout, datetime.date.today()), "utf-8")
    print(PAGE.relative_to(ROOT))
    return min(done.returncode, 1)


def environment() -> dict[str, str]:
    """The variables of this process without those that lead to other packages or another backend."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "KERAS_BACKEND")}


def install(folder: Path) -> str:
    """Make a virtual environment with the newest packages that the extras allow. Returns its Python."""
    uv, more = shutil.which("uv"), dict[str, str]()
    venv.create(folder, with_pip=uv is None)
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    if uv is None:
        print("uv is not installed: pip looks for versions that go together, which may take long", file=sys.stderr)
        command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    else:
        options, more = as_uv_takes_them(pip_settings())
        command = [uv, "pip", "install", "-q", "--python", python, *options]
    command += ["--upgrade", "-e", ".[train,test]"]
    subprocess.run(command, cwd=ROOT, env={**environment(), **more}, check=True)
    return python


def pip_settings() -> str:
    """What pip is told by its files and by variables: where packages lie, what may not be newer."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def as_uv_takes_them(settings: str) -> tuple[list[str], dict[str, str]]:
    """Translate settings of pip for uv, which does not read them: the same packages are then the newest for both.

    Args:
        settings: What `pip config list` prints, such as `global.index-url='https://...'` and `:env:.cert='...'`.

    Returns:
        Options of `uv pip install`, and variables of its process.
    """
    options, variables = ["--index-strategy", "unsafe-best-match"], {}  # of all indexes alike, as pip does
    found: dict[str, str] = {}
    for line in sorted(settings.splitlines(), key=lambda line: line.startswith(":env:")):  # variables win
        name, _, value = line.partition("=")
        found[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    for name in ("index-url", "extra-index-url", "find-links", "constraint"):
        for value in found.get(name, "").split():
            options += [f"--{name}", value]
    if "cert" in found:
        variables["SSL_CERT_FILE"] = found["cert"]
    return options, variables


def versions(python: str) -> dict[str, str]:
    """Package -> version, of those of PACKAGES that are installed there."""
    code = "from importlib.metadata import distributions as all\nfor d in all(): print(d.name, d.version)"
    listed = subprocess.run([python, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    pairs = dict(line.split(" ", 1) for line in listed.stdout.splitlines())
    return {name: pairs[name] for name in PACKAGES if name in pairs}


def page(found: dict[str, str], code: int, output: str, date: datetime.date) -> str:
    """Return the page: the versions, the date, PASS or the tests that failed.

    Args:
        found: Package -> version.
        code: Exit code of pytest.
        output: What it printed, with a line for each failure.
        date: The day of the run.
    """
    broken = re.findall(r"^(?:FAILED|ERROR) (.+)$", output, re.M)
    last = (output.strip().splitlines() or ["no output"])[-1].strip("= ")
    lines = [f"- `{line}`" for line in broken] or [f"- pytest ended with {code}: {last}"]
    table = "\n".join(f"| {name} | {version} |" for name, version in found.items())
    return f"""\
# The way out: tf2onnx

Every exported file passes through tf2onnx. `python tools/newest.py` exports all entries with the newest packages that
`setup.cfg` allows, in a fresh environment, and writes this page.

Run of {date.isoformat()}, Python {platform.python_version()}: **{"FAIL" if code else "PASS"}** ({last})

| package | version |
|---|---|
{table}
""" + (f"\nWhat broke:\n\n{chr(10).join(lines)}\n" if code else "")


if __name__ == "__main__":
    sys.exit(main())
