"""The command line: exit codes, stdout and stderr, and never a traceback for a mistake of the user."""

import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny
from png_files import read_png

import zoo
from zoo import cli
from zoo.cli import check, requirements
from zoo.core import host, pictures
from zoo.spec import read as spec_reader
from zoo.spec.validate import specs_folder

ROOT = Path(__file__).parents[2]
TRANSLATOR = ROOT / "exported" / "cyclegan"

BROKEN = tiny.DENSE.replace("activation: tanh", "activatoin: tanh")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "nope.yaml"], "nope.yaml"),
        (["build", "{broken}"], "tested.yaml:11:28: networks.generator.layers[0].Dense: unknown argument 'activatoin'"),
        (["build", "{broken}", "--dry-run"], "Did you mean 'activation'?"),
        (["build", "{dense}", "--set", "training.batchsize=3"], "Did you mean 'batch_size'?"),
        (["build", "{dense}", "--set", "nonsense"], "expected a.b.c=value"),
        (["build", "{dense}", "--set", "training.steps=many"], "training.steps: expected an integer"),
        (["build", "{dense}", "--seed", "-1"], "training.seed: expected an integer at least 0"),
        (["build", "{dense}", "--json"], "--json goes with --dry-run"),
        (
            ["build", "{dense}", "--set", "training.batch_size=5000"],
            "a batch of 5,000 cannot be drawn from the 1,500 items of 'digits'",
        ),
        (["build", "{dense}", "--runs", "{dense}"], "tested.yaml"),
        (
            ["build", "{dense}", "--budget", "5"],
            "argument --budget: expected a time such as 90s, 5m or 2h, received '5'",
        ),
        (["build", "{dense}", "--steps", "0"], "argument --steps: expected a whole number of at least 1, received '0'"),
        (["build", "{dense}", "--seed", "x"], "argument --seed: invalid int value: 'x'"),
        (["build"], "the following arguments are required: spec"),
        (["bild"], "invalid choice: 'bild'"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["check", "nope.yaml"], "nope.yaml"),
        (["fetch", "fashion_mnits"], "Did you mean 'fashion_mnist'?"),
        (["sample", "nowhere"], "nowhere: there is no such file or folder"),
        (
            ["sample", "{broken}"],
            "tested.yaml: is a spec, not an exported model; `zoo build {broken}` makes exported/tested",
        ),
        (["sample", "."], "not an exported generator: it has no manifest.json"),
        (
            ["sample", ".", "--out", "a.jpg"],
            "--out must end in .png (a grid), .npy (an array), .gif or .webp (an animation), received 'a.jpg'",
        ),
        (["sample", ".", "-n", "x"], "argument -n: invalid int value: 'x'"),
        (["evaluate", ".", "--n", "0"], "argument --n: expected a whole number of at least 1, received '0'"),
        (["new", "Bad Name"], "a model's name is a lower-case word such as my_gan, received 'Bad Name'"),
        (["new", "mine", "--from", "dcgann"], "Did you mean 'dcgan'?"),
        (["new", "mine", "--from", "dcgan", "--out", "{broken}/x"], "tested.yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_told_in_a_line_with_code_2(zoo_says, dense, tmp_path, arguments, message):
    (tmp_path / "broken").mkdir()
    broken = tmp_path / "broken" / "tested.yaml"
    broken.write_text(BROKEN)
    code, out, err = zoo_says(*[a.format(dense=dense, broken=broken) for a in arguments])
    assert (code, out) == (2, "") and message.replace("{broken}", str(broken)) in err
    assert "Traceback" not in err and "Error" not in err.replace("zoo: error:", "")
    assert not Path("exported").exists() and not Path("samples.png").exists()


def test_check(zoo_says, dense, tmp_path):
    assert zoo_says("check", dense)[:2] == (0, "1 spec is good\n")
    assert zoo_says("check", specs_folder() / "dcgan.yaml", "vanilla")[:2] == (0, "2 specs are good\n")
    (tmp_path / "specs" / "deeper").mkdir()
    for name in ("a", "deeper/b"):
        (tmp_path / "specs" / f"{name}.yaml").write_text(BROKEN.replace("name: dense", f"name: {name[-1]}\nsteps: 3"))
    (tmp_path / "specs" / "notes.txt").write_text("not a spec")
    code, out, err = zoo_says("check", "specs")
    lines = err.splitlines()
    assert (code, out) == (2, "") and lines[-1] == "2 of 3 specs have mistakes" and len(lines) == 5
    for name, (first, second) in {"a": lines[:2], "deeper/b": lines[2:4]}.items():
        assert first.startswith(f"specs/{name}.yaml:3:1: unknown key 'steps'")
        assert second.startswith(f"specs/{name}.yaml:12:28: networks.generator.layers[0].Dense: unknown argument")


def test_a_fault_of_the_checks_at_one_file_hides_no_other(zoo_says, dense, tmp_path, monkeypatch):
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: 3\n")

    def faulty(path, overrides=()):
        if Path(path) == Path(dense):
            raise TypeError("of two\nlines")
        return read_spec(path, overrides)

    read_spec = spec_reader.read_spec
    monkeypatch.setattr(spec_reader, "read_spec", faulty)
    code, _, err = zoo_says("check", dense, broken)
    assert code == 1 and "TypeError: of two lines\n" in err and "broken.yaml:1:7: name" in err


def test_check_of_an_empty_folder(zoo_says, tmp_path):
    (tmp_path / "empty").mkdir()
    code, out, err = zoo_says("check", "empty")
    assert (code, out) == (2, "") and err == "empty: there are no .yaml files here; name a spec or its folder\n"


def test_check_takes_overrides(zoo_says, dense):
    code, _, err = zoo_says("check", dense, "--set", "data.range=[0,1]")
    assert code == 2 and "tanh makes [-1.0, 1.0]" in err


def test_check_and_help_and_list_do_without_frameworks(tmp_path):
    """In a process of its own, where importing one of them is an error."""
    names = (
        "'tensorflow', 'keras', 'onnx', 'tf2onnx', 'jax', 'torch', 'onnxruntime', 'matplotlib', 'sklearn', 'fastapi'"
    )
    program = f"""
import sys
sys.modules |= dict.fromkeys([{names}])
from zoo.cli import main
codes = [main(['check', 'dcgan', 'vanilla']), main(['list']), main(['new', 'mine', '--from', 'dcgan'])]
codes.append(main(['check', 'mine.yaml']))
sys.exit(str(codes))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stderr == "[0, 0, 0, 0]\n", done.stderr


def test_list(zoo_says, exported):
    shutil.copytree(exported.folder, "here/dcgan")
    code, out, err = zoo_says("list", "--out", "here")
    assert code == 0 and err == ""
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert {"dcgan", "vanilla"} <= lines.keys()
    assert lines["dcgan"].endswith("DCGAN (2015): here/dcgan, 32 images of training")
    assert lines["vanilla"].endswith("Generative Adversarial Nets (2014): not built yet: zoo build vanilla")


def test_fetch(zoo_says, monkeypatch):
    monkeypatch.setattr("zoo.data.fetch.fetch", lambda name: Path("cache") / name)
    assert zoo_says("fetch", "mnist", "cifar10") == (0, "mnist: cache/mnist\ncifar10: cache/cifar10\n", "")


def test_new_and_then_check(zoo_says):
    code, out, err = zoo_says("new", "mine", "--from", "dcgan", "--out", "far/away")
    assert code == 0 and err == "" and out.splitlines()[:2] == ["far/away/mine.yaml", "next:"]
    for line in out.splitlines()[2:4]:
        command = line.split()
        assert command[0] == "zoo" and zoo_says(*command[1:])[0] == 0, line
    assert zoo_says("new", "mine", "--from", "dcgan", "--out", "far/away")[0] == 2


def test_new_begins_from_the_template(zoo_says):
    assert zoo_says("new", "mine")[0] == 0 and zoo_says("check", "mine.yaml")[0] == 0


def test_sample(zoo_says, exported):
    code, out, err = zoo_says("sample", exported.folder, "-n", 5, "--seed", 3, "--out", "deep/a.npy")
    assert (code, out, err) == (0, "deep/a.npy: 5 from A tiny GAN, seed 3\n", "")
    expected = zoo.load(exported.folder).sample(5, seed=3)
    np.testing.assert_array_equal(np.load("deep/a.npy"), expected)
    assert zoo_says("sample", exported.folder, "--n", 5, "--seed", 3)[0] == 0  # as it is written, too
    np.testing.assert_array_equal(read_png("samples.png"), pictures.picture(expected))


def test_sample_a_walk(zoo_says, exported):
    assert zoo_says("sample", exported.folder, "-n", 7, "--interpolate", "--out", "walk.npy")[0] == 0
    walk, ends = np.load("walk.npy"), zoo.load(exported.folder).sample(2)
    np.testing.assert_array_equal(walk[[0, 6]], ends)
    code, _, err = zoo_says("sample", exported.folder, "-n", 1, "--interpolate")
    assert code == 2 and "n must be a whole number in 2.." in err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--label", "3"], "tiny takes no label: it is not conditional"),
        (["--label", "shoe"], "tiny takes no label: it is not conditional"),
        (["-n", "0"], "n must be a whole number in 1.."),
        (["--seed", "-1"], "seed must be a whole number in 0.."),
    ],
)
def test_sample_mistakes(zoo_says, exported, flags, message):
    code, out, err = zoo_says("sample", exported.folder, *flags)
    assert (code, out) == (2, "") and message in err and not Path("samples.png").exists()


def test_sample_of_a_damaged_artifact(zoo_says, exported):
    shutil.copytree(exported.folder, "copy")
    with open("copy/generator.onnx", "r+b") as file:
        file.truncate(100)
    code, _, err = zoo_says("sample", "copy")
    assert code == 2 and "changed or damaged: its SHA-256" in err
    Path("copy/manifest.json").write_text("{}")
    assert zoo_says("sample", "copy")[0] == 2 and zoo_says("sample", "copy/generator.onnx")[0] == 2


def test_another_backend_is_named_with_its_own_extra(zoo_says, dense, monkeypatch, tmp_path):
    """Keras obeys its keras.json too, where no variable is set."""
    monkeypatch.setattr(host, "find_spec", lambda name: None if name == "jax" else object())
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for set_it in (
        lambda: monkeypatch.setenv("KERAS_BACKEND", "jax"),
        lambda: monkeypatch.delenv("KERAS_BACKEND") or (tmp_path / "keras.json").write_text('{"backend": "jax"}'),
    ):
        set_it()
        code, out, err = zoo_says("build", dense)
        assert (code, out) == (2, "") and err.startswith("`zoo build` needs jax: pip install 'gan-zoo[train,jax]'")
    (tmp_path / "keras.json").write_text('{"backend": "foo"}')
    code, _, err = zoo_says("build", dense)
    assert code == 2 and err.endswith("keras.json: backend must be one of tensorflow, jax, torch, received 'foo'\n")
    monkeypatch.setenv("KERAS_BACKEND", "")
    (tmp_path / "keras.json").write_text("no json")
    assert requirements.backend() == "tensorflow"


def test_what_cannot_be_raced_is_said_before_a_training(zoo_says, dense):
    for artifact, message in (
        ("nowhere", "nowhere is not an exported model"),
        (TRANSLATOR, "only generators of samples can be compared"),
    ):
        code, out, err = zoo_says("bench", dense, "--artifact", artifact)
        assert (code, out) == (2, "") and err.startswith("--artifact: ") and message in err and err.count("\n") == 1


def test_missing_extras(zoo_says, dense, monkeypatch):
    monkeypatch.setattr(host, "find_spec", lambda name: None if name in ("tf2onnx", "tensorboard") else object())
    code, out, err = zoo_says("build", dense)
    assert (code, out) == (2, "")
    assert err.startswith("`zoo build` needs tensorboard, tf2onnx: pip install 'gan-zoo[train]'")
    monkeypatch.setattr(host, "find_spec", lambda name: None)


def test_zoo_alone_prints_the_commands_in_groups(zoo_says):
    code, out, err = zoo_says()
    assert (code, err) == (0, "") and zoo_says("--help") == (code, out, err)
    titles = [line for line in out.splitlines() if line.endswith(":") and line != "options:"]
    assert titles == ["make a model:", "use it:", "measure it:", "share it:"]
    for name in cli.COMMANDS:
        assert len([line for line in out.splitlines() if line.startswith(f"  {name} ")]) == 1, name


@pytest.mark.parametrize(
    "command",
    [["sample"], ["translate", "a.png"], ["inspect"], ["serve"], ["report"], ["evaluate"], ["compare", "dcgan"],
     ["convert", "--precision", "fp16"], ["deploy", "triton"], ["deploy", "ray"]],
    ids=lambda words: " ".join(words),
)  # fmt: skip
def test_a_name_in_the_place_of_an_artifact_is_answered_with_the_next_step(zoo_says, command):
    name, *rest = command
    engine = [rest.pop(0)] if name == "deploy" else []
    for given in ("dcgan", "exported/dcgan", "exported"):
        code, out, err = zoo_says(name, *engine, given, *rest)
        assert (code, out) == (2, "")
        assert err == f"{given}: there is no such file or folder; `zoo build dcgan` makes exported/dcgan\n"
    shutil.copytree(ROOT / "exported" / "unrolled", "exported/dcgan")
    code, out, err = zoo_says(name, *engine, "dcgan", *rest)
    assert (code, out, err) == (2, "", "dcgan: there is no such file or folder; did you mean exported/dcgan?\n")


def test_a_folder_of_artifacts_in_the_place_of_one(zoo_says):
    shutil.copytree(ROOT / "exported" / "unrolled", "here/unrolled")
    code, _, err = zoo_says("sample", "here")
    assert code == 2 and err.endswith("it has no manifest.json; name one of those in it, such as here/unrolled\n")


INTERRUPTED = """
import os, sys
class Report:  # the start of the program, as seen by the one who interrupts it
    def find_spec(self, name, path=None, target=None):
        if name == "zoo.cli":
            os.write({pipe}, b".")
sys.meta_path.insert(0, Report())
sys.argv = ["zoo", *{arguments!r}]
import runpy
runpy.run_module("zoo", run_name="__main__")
"""


@pytest.mark.parametrize("arguments", [["list"], ["sample", str(ROOT / "exported" / "vanilla"), "-n", "200000"]])
@pytest.mark.parametrize("delay", [0.0, 0.01, 0.03, 0.06, 0.1, 0.2, 0.3])
def test_ctrl_c_at_the_start_is_one_line(tmp_path, arguments, delay):
    reader, writer = os.pipe()
    program = INTERRUPTED.format(pipe=writer, arguments=arguments)
    process = subprocess.Popen([sys.executable, "-c", program], pass_fds=[writer], cwd=tmp_path, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    if arguments == ["list"] and process.returncode in (0, -signal.SIGINT):
        assert err == ""  # it had ended, or was past the last line of Python
    else:
        assert (process.returncode, err) == (130, "stopped\n")


def test_an_import_that_rewords_ctrl_c_is_still_one_line(tmp_path):
    """C code that imports Python modules turns an interrupt into another error."""
    (tmp_path / "slow.py").write_text(
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n    sum(range(10**7))\n"
        "except BaseException as error:\n    raise ImportError('init failed') from error\n"
    )
    program = """
import zoo.__main__ as start
from zoo import cli
def main():
    import slow
cli.main = main
start.run()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])})  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "stopped\n")


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_has_examples(zoo_says, command):
    code, out, err = zoo_says(command, "--help")
    assert code == 0 and err == "" and f"examples:\n  zoo {command}" in out


def test_version(zoo_says):
    assert zoo_says("--version")[:2] == (0, f"gan-zoo {zoo.__version__}\n")


@pytest.mark.parametrize("tool", ["bench", "build", "evaluate", "sample", "serve"])
def test_tools_are_the_commands(tool, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"tools/{tool}.py", "--help"])
    with pytest.raises(SystemExit) as leaving:
        runpy.run_path(str(ROOT / "tools" / f"{tool}.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert leaving.value.code == 0 and "examples:" in out and f"zoo {tool} " in out


@pytest.mark.parametrize(("tool", "extra"), [("build", "train"), ("serve", "cpu,serve")])
def test_tools_say_kindly_that_the_package_is_missing(tool, extra, monkeypatch):
    class Hidden:
        def find_spec(self, name, path=None, target=None):
            if name == "zoo":
                raise ModuleNotFoundError("No module named 'zoo'", name="zoo")

    monkeypatch.setattr(sys, "meta_path", [Hidden(), *sys.meta_path])
    for name in [name for name in sys.modules if name.split(".")[0] == "zoo"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SystemExit) as leaving:
        runpy.run_path(str(ROOT / "tools" / f"{tool}.py"), run_name="__main__")
    assert leaving.value.code == (
        f"gan-zoo is not installed here. In the folder of the repository: pip install -e '.[{extra}]'"
    )


def test_a_pipe_whose_reader_left(dense, monkeypatch):
    def leave(options):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(check, "run", leave)
    with open("pipe", "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert cli.main(["check", dense]) == 0
        assert (
            os.fstat(pipe.fileno()).st_rdev == os.stat(os.devnull).st_rdev
        )  # what Python flushes at exit goes nowhere


def test_a_full_disk_is_a_line(zoo_says, dense, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device", "exported/dense")

    monkeypatch.setattr("zoo.train.loop.train", fail)
    assert zoo_says("build", dense) == (2, "", "exported/dense: No space left on device\n")
