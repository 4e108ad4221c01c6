"""`zoo build`: what it trains, exports, prints and refuses; and how it ends when it is stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree

import tiny

import zoo

ROOT = Path(__file__).parents[2]


def test_build_trains_exports_and_says_what_is_next(zoo_says, dense):
    code, out, err = zoo_says("build", dense, "--steps", 2)
    assert code == 0
    assert "dense: stopped after step 2 (all steps are done); exporting ...\n" in err
    assert "exported/dense/generator.onnx: 0.0 MB, 256 parameters, weights of step 2\n" in out
    assert "agrees with Keras to " in out and "(limit 0.0001): batch_1 " in out
    for line in ("zoo sample exported/dense -n 64", f"zoo build {dense} --resume"):
        assert f"  {line}" in out
    assert zoo.load("exported/dense").sample(2).shape == (2, 8, 8, 1)
    assert Path("runs/dense/checkpoint.npz").is_file()

    code, out, err = zoo_says("build", dense, "--resume", "--steps", 3, "--out", "other", "--precision", "fp16")
    assert code == 0 and "averaged" not in out and zoo.load("other/dense").manifest.weights["step"] == 3
    assert "--resume" not in out  # all steps are made
    assert "other/dense/generator_fp16.onnx: 0.0 MB; generator.onnx has 0.0 MB\nagrees with it to " in out
    assert zoo.load("other/dense", precision="fp16").sample(2).shape == (2, 8, 8, 1)
    assert "`generator_fp16.onnx` is the same network" in Path("other/dense/README.md").read_text("utf-8")


def test_the_command_that_goes_on_finds_the_run(zoo_says, dense):
    flags = ["--out", "other", "--runs", "mine", "--seed", "3", "--precision", "fp16", "--set", "training.batch_size=5"]
    code, out, _ = zoo_says("build", dense, "--steps", 1, *flags)
    assert code == 0 and f"  zoo build {dense} --resume {' '.join(flags)}\n" in out


def test_steps_and_budget_are_not_part_of_the_model_but_the_seed_is(zoo_says, dense):
    def sha(*flags):
        code, out, _ = zoo_says("build", dense, "--dry-run", "--json", *flags)
        assert code == 0
        return json.loads(out)["spec_sha256"]

    plain = sha()
    assert sha("--steps", 2, "--budget", "3s") == plain
    assert sha("--seed", 1) == sha("--set", "training.seed=1") != plain
    assert sha("--seed", 0, "--set", "training.seed=1") == sha("--seed", 0)  # the flag has the last word


def test_a_run_with_steps_and_budget_exports_the_plain_sha(zoo_says, dense, tmp_path):
    assert zoo_says("build", dense, "--steps", 2, "--budget", "1h")[0] == 0
    assert zoo.load("exported/dense").manifest.spec_sha256 == tiny.read(tmp_path / "again", tiny.DENSE).sha256


def test_the_budget_flag(zoo_says, dense):
    code, _, err = zoo_says("build", dense, "--steps", 10**9, "--budget", "0.2s")
    assert code == 0 and "(the budget of 0s is used); exporting ..." in err


def test_dry_run_is_one_json_object(zoo_says, dense):
    code, out, err = zoo_says("build", dense, "--dry-run", "--json")
    assert code == 0 and err == "" and out.count("\n") == 1
    described = json.loads(out)
    assert described["name"] == "dense" and [p["name"] for p in described["phases"]] == ["discriminator", "generator"]
    generator = described["networks"]["generator"]
    assert (generator["parameters"], generator["macs_per_image"], generator["output_shape"]) == (256, 192, [8, 8, 1])
    assert list(Path.cwd().iterdir()) == [Path.cwd() / "specs"]  # and nothing is written


def test_dry_run_for_people(zoo_says, dense):
    code, out, err = zoo_says("build", dense, "--dry-run")
    assert code == 0 and err == ""
    assert "generator: z [3] -> image [8, 8, 1]" in out and "layer" in out
    assert "\ngenerator      trains generator, 1 update, SGD; minimises g_loss; " in out


def test_the_game_is_printed_and_drawn(zoo_says, dense, tmp_path):
    code, out, err = zoo_says("build", dense, "--dry-run", "--expand", "--svg", tmp_path / "game.svg")
    assert code == 0 and err == f"{tmp_path / 'game.svg'}: the game of dense\n"
    assert out.startswith("algorithm:\n  game:\n    values:\n      fake: generator\n      on_real: discriminator\n")
    assert ElementTree.parse(tmp_path / "game.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert zoo_says("build", dense, "--expand")[2] == "--expand goes with --dry-run\n"


def test_networks_alone_can_be_looked_at_but_not_trained(zoo_says, tmp_path):
    path = tiny.read(tmp_path / "specs", tiny.DENSE[: tiny.DENSE.index("algorithm:")]).path
    assert zoo_says("build", path, "--dry-run", "--json")[0] == 0
    code, out, err = zoo_says("build", path)
    assert (code, out) == (2, "") and err.endswith("how to train them. Try --dry-run\n")


def test_several_settings_and_the_spec_on_either_side(zoo_says, dense):
    settings = ("--set", "training.seed=1", "training.batch_size=5")
    for arguments in ((dense, *settings), (*settings, dense)):
        code, out, _ = zoo_says("build", *arguments, "--dry-run", "--json")
        assert code == 0 and json.loads(out)["training"]["batch_size"] == 5


def test_a_loss_that_is_not_finite_is_code_1_and_no_artifact(zoo_says, dense, exported):
    shutil.copytree(exported.folder, "exported/dense")
    before = {path.name: path.read_bytes() for path in Path("exported/dense").iterdir()}
    rate = "algorithm.alternating.{}.optimizer.SGD.learning_rate=1e5"
    path = tiny.read(Path("specs"), tiny.POINTS.replace("name: points", "name: dense")).path
    code, out, err = zoo_says(
        "build", path, "--set", rate.format("generator"), rate.format("discriminator"), "--steps", 60
    )
    assert (code, out) == (1, "") and "Traceback" not in err
    last = err.splitlines()[-1]
    assert last.startswith("step ") and "_loss is " in last and "there is no checkpoint yet" in last
    assert {path.name: path.read_bytes() for path in Path("exported/dense").iterdir()} == before


def test_a_foreign_checkpoint_is_code_1(zoo_says, dense):
    assert zoo_says("build", dense)[0] == 0
    code, _, err = zoo_says("build", dense, "--resume", "--seed", 9)
    assert code == 1 and "made with another spec: training.seed changed" in err.splitlines()[-1]


def test_a_second_ctrl_c_is_code_130(zoo_says, dense, monkeypatch):
    def twice(self, batch, logs=None):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("zoo.train.callbacks.Finite.on_train_batch_end", twice)
    code, out, err = zoo_says("build", dense)
    assert (code, out) == (130, "") and err.splitlines()[-1] == "stopped" and not Path("exported").exists()


def test_ctrl_c_while_training_exports_what_there_is(tmp_path):
    """The real thing: tools/build.py in a process of its own, its stderr free of the frameworks' messages."""
    spec = tiny.read(tmp_path, tiny.DENSE).path
    command = [sys.executable, ROOT / "tools/build.py", spec, "--steps", "1000000", "--budget", "60s"]
    quiet = {key: value for key, value in os.environ.items() if not key.startswith(("TF_", "KERAS_"))}
    with subprocess.Popen(command, cwd=tmp_path, env=quiet, stdout=-1, stderr=-1, text=True) as process:
        rescue = threading.Timer(120, process.kill)
        rescue.start()
        err = []
        for line in process.stderr:
            err.append(line)
            if len(err) == 2:  # the first step is done
                process.send_signal(signal.SIGINT)
        out = process.stdout.read()
        code = process.wait()
        rescue.cancel()
    assert code == 0, err
    assert err[0] == "dense: compiling the training step ...\n" and "(Ctrl-C); exporting ..." in err[-1]
    assert all(line.startswith("dense: ") for line in err), err
    made = zoo.load(tmp_path / "exported" / "dense").manifest
    assert 1 <= made.weights["step"] < 1_000_000 and made.training["ended"] == "Ctrl-C"
    assert out.startswith("\nexported/dense/generator.onnx: ")


def test_build_of_two_networks(zoo_says, tmp_path):
    path = tiny.read(tmp_path / "specs", tiny.cycle(tmp_path / "specs")).path
    code, out, _ = zoo_says("build", path, "--steps", 2)
    assert code == 0
    for name in ("a_to_b", "b_to_a"):
        assert f"exported/cycle/{name}.onnx: 0.0 MB, 223 parameters, weights of step 2\nagrees with Keras to " in out
    assert "images and their translations: exported/cycle/samples.png\n" in out
    assert "  zoo translate exported/cycle photo.jpg --network a_to_b --fit crop --out photo.png\n" in out
    (line,) = (line for line in out.splitlines() if "python -c" in line)
    done = subprocess.run(line.replace("python", sys.executable, 1), shell=True, capture_output=True, text=True)
    assert "Tensor(name='a'" in done.stdout, done.stderr
