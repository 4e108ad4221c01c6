"""`zoo deploy ENGINE`: flags, files, and one line for every mistake."""

import onnx_nets as nets
import pytest
import yaml

from zoo.cli import main


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nets.save(tmp_path / "exported" / "tiny", nets.images(), nets.describe())
    return tmp_path


def test_triton(place, capsys):
    flags = ["--max-batch", "8", "--delay-ms", "0.5", "--threads", "2"]
    assert main(["deploy", "triton", "exported", "--out", "models", *flags]) == 0
    text = (place / "models" / "tiny" / "config.pbtxt").read_text()
    assert "max_batch_size: 8\n" in text and "max_queue_delay_microseconds: 500\n" in text
    assert 'string_value: "2"' in text and "KIND_CPU" in text
    printed = capsys.readouterr().out
    assert printed.startswith("models: tiny\n") and f"--model-repository={place}/models " in printed


def test_kserve(place, capsys):
    flags = ["--storage-uri", "s3://bucket/zoo", "--name", "pictures", "--min-replicas", "0", "--gpu"]
    assert main(["deploy", "kserve", "exported", *flags, "--out", "new/kserve.yaml"]) == 0
    made = yaml.safe_load((place / "new" / "kserve.yaml").read_text())
    assert made["metadata"]["name"] == "pictures" and made["spec"]["predictor"]["minReplicas"] == 0
    assert "kubectl apply -f new/kserve.yaml" in capsys.readouterr().out


def test_ray(place, capsys):
    assert main(["deploy", "ray", "exported", "--min-replicas", "2", "--cpus", "3", "--port", "8123"]) == 0
    made = yaml.safe_load((place / "ray.yaml").read_text())
    assert made["http_options"] == {"host": "127.0.0.1", "port": 8123}
    (application,) = made["applications"]
    assert application["import_path"] == "zoo.deploy.ray:build"
    assert application["args"] == {"folder": str(place / "exported"), "cpus": 3, "provider": "cpu"}
    (deployment,) = application["deployments"]
    assert deployment["autoscaling_config"]["min_replicas"] == 2 and deployment["ray_actor_options"] == {"num_cpus": 3}
    message = capsys.readouterr().out
    assert "serve run ray.yaml" in message and "pip install 'gan-zoo[cpu,serve,ray]'" in message
    assert "gan-zoo[cpu,serve,ray]" in (place / "ray.yaml").read_text().splitlines()[0]
    assert main(["deploy", "ray", "exported", "--gpu"]) == 0 and "[gpu,serve,ray]" in capsys.readouterr().out


MISTAKES = [
    (["triton", "nowhere"], "nowhere: there is no such folder"),
    (["triton", "exported", "--out", "exported/models"], "exported/models: lies in the folder of the artifacts"),
    (["kserve", "exported", "--storage-uri", "s3://b", "--min-replicas", "5"], "--min-replicas must not exceed"),
    (["ray", "exported", "--min-replicas", "9"], "--min-replicas must not exceed --max-replicas, received 9 and 8"),
    (["ray", "exported", "--out", "exported"], "--out: exported is a folder; name a file"),
]
FLAGS = [
    (["triton", "exported", "--max-batch", "0"], "expected a whole number of at least 1, received '0'"),
    (["triton", "exported", "--delay-ms", "-1"], "expected milliseconds such as 3 or 0.5, received '-1'"),
    (["kserve", "exported"], "--storage-uri"),
    (["kserve", "exported", "--storage-uri", "models"], "expected an address such as pvc://models/zoo"),
    (["kserve", "exported", "--storage-uri", "s3://b", "--name", "My_Zoo"], "lower-case letters, digits and '-'"),
    (["ray", "exported", "--min-replicas", "0"], "at least 1"),
    (["ray", "exported", "--port", "65536"], "expected a whole number in 1..65535, received '65536'"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(place, capsys, arguments, message):
    before = sorted(place.rglob("*"))
    assert main(["deploy", *arguments]) == 2
    printed = capsys.readouterr().err
    assert message in printed and printed.count("\n") == 1
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(("arguments", "message"), FLAGS)
def test_a_flag_says_what_it_expects(place, capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        main(["deploy", *arguments])
    assert ended.value.code == 2 and message in capsys.readouterr().err
