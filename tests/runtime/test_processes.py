"""A generator in other processes: forked, spawned, pickled, copied; and what loading one leaves in the user's home."""

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx_nets as nets
import pytest
from onnx_nets import fails

import zoo
from zoo.artifact.manifest import MODEL_FILE
from zoo.core.files import sha256_file

ROOT = Path(zoo.__file__).parents[1]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def python(code, **environment):
    """Run a program in a fresh process that knows this zoo."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("ORT_", "XDG_"))}
    return subprocess.run([sys.executable, "-c", code], env={**inherited, "PYTHONPATH": str(ROOT), **environment},
                          capture_output=True, text=True, timeout=120, check=False)  # fmt: skip


def test_an_empty_home_stays_empty(folder, tmp_path):
    code = f"import zoo; print(zoo.load({str(folder)!r}).sample(2).shape)"
    done = python(code, HOME=str(tmp_path))
    assert (done.stdout, done.stderr) == ("(2, 8, 8, 3)\n", "") and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stated", ["0", "1"])
def test_the_users_word_on_telemetry_stays(folder, tmp_path, stated):
    code = f"import os, zoo; zoo.load({str(folder)!r}); print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert python(code, HOME=str(tmp_path), ORT_DISABLE_TELEMETRY=stated).stdout == f"{stated}\n"


@needs_fork
@pytest.mark.parametrize("work", ["pass", "np.testing.assert_array_equal(generator.sample(5), images)"])
def test_a_forked_child_samples_and_ends(folder, work):
    """With four threads of ONNX Runtime, and four of Python that sample while the process forks."""
    code = f"""
import os, sys, threading, time, warnings
import numpy as np
import zoo
warnings.simplefilter("ignore")
generator = zoo.load({str(folder)!r}, threads=4)
images, stop = generator.sample(5), threading.Event()
def draw():
    while not stop.is_set():
        generator.sample(5)
threads = [threading.Thread(target=draw) for _ in range(4)]
for thread in threads:
    thread.start()
children = []
for _ in range(3):
    if not (child := os.fork()):
        {work}
        sys.exit(7)
    children.append(child)
end = time.monotonic() + 60
codes = []
for child in children:
    while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < end:
        time.sleep(0.02)
    if not ended[0]:
        os.kill(child, 9)
    codes.append(os.waitstatus_to_exitcode(ended[1]) if ended[0] else "hangs")
stop.set()
for thread in threads:
    thread.join()
np.testing.assert_array_equal(generator.sample(5), images)
print(codes)
"""
    done = python(code)
    assert (done.stdout, done.stderr) == ("[7, 7, 7]\n", "")


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_draw_the_same(folder, again):
    for source in (folder, folder / MODEL_FILE, (folder / MODEL_FILE).read_bytes()):
        generator = zoo.load(source, threads=1)
        copied = again(generator)
        assert repr(copied) == repr(generator) and copied.manifest == generator.manifest
        np.testing.assert_array_equal(copied.sample(5, seed=2), generator.sample(5, seed=2))


def test_a_pickle_is_small_and_finds_the_file_from_anywhere(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder.parent)
    pickled = pickle.dumps(zoo.load(folder.name))
    assert len(pickled) < (folder / MODEL_FILE).stat().st_size
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(pickled).sample(1).shape == (1, 8, 8, 3)


def test_a_copy_does_not_take_another_file(tmp_path):
    home = nets.save(tmp_path / "tiny", nets.images(), nets.describe())
    generator = zoo.load(home)
    pickled = pickle.dumps(generator)
    nets.save(home, nets.images(seed=1), nets.describe())
    fails("generator.onnx: changed since it was loaded: load it again", pickle.loads(pickled).sample, 1)
    (home / MODEL_FILE).unlink()
    fails("generator.onnx: cannot be read again: No such file", copy.deepcopy(generator).sample, 1)
    assert generator.sample(1).shape == (1, 8, 8, 3)


def test_a_spawned_process_takes_a_generator(folder, tmp_path):
    generator = zoo.load(folder)
    (tmp_path / "main.py").write_text(f"""
import multiprocessing, zoo
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        generator = zoo.load({str(folder)!r})
        print(int(pool.apply(generator.sample, (3, 1)).sum()))
""")
    done = python(f"import runpy; runpy.run_path({str(tmp_path / 'main.py')!r}, run_name='__main__')")
    assert (done.stdout, done.stderr) == (f"{generator.sample(3, seed=1).sum()}\n", "")


def test_the_expected_sha256_of_a_lone_file(folder, tmp_path):
    """Weights that were damaged make another picture, which the file alone does not show."""
    whole, lone = folder / MODEL_FILE, tmp_path / "lone.onnx"
    stated = sha256_file(whole)
    data = bytearray(whole.read_bytes())
    at = data.find(nets.images().graph.initializer[0].raw_data[:64]) + 3
    data[at] ^= 0x40
    lone.write_bytes(data)
    assert (zoo.load(lone).sample(4) != zoo.load(whole).sample(4)).any()
    fails(f"lone.onnx: its SHA-256 is {sha256_file(lone)}, expected {stated}", zoo.load, lone, sha256=stated)
    fails("bytes: its SHA-256 is", zoo.load, bytes(data), sha256=stated)
    fails("sha256 must be 64 hexadecimal digits, received 'abc'", zoo.load, lone, sha256="abc")
    for source in (folder, whole, whole.read_bytes()):
        assert zoo.load(source, sha256=stated.upper()).name == "tiny"
