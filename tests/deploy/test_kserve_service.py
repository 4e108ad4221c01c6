"""`zoo deploy kserve`: one InferenceService for the whole repository."""

import onnx_nets as nets
import pytest
import yaml

from zoo.core.errors import ServeError
from zoo.deploy import kserve


@pytest.fixture
def folder(tmp_path):
    nets.save(tmp_path / "tiny", nets.images(), nets.describe())
    nets.save(tmp_path / "points", nets.points(), nets.describe_points())
    return tmp_path


def service(folder, **options):
    return yaml.safe_load(kserve.text(folder, kserve.Options(storage_uri="pvc://models/zoo", **options)))


def test_it_is_a_service_of_triton_over_the_repository(folder):
    made = service(folder)
    assert (made["apiVersion"], made["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert made["metadata"] == {"name": "gan-zoo"}
    model = made["spec"]["predictor"]["model"]
    assert model["modelFormat"] == {"name": "onnx"} and model["protocolVersion"] == "v2"
    assert model["storageUri"] == "pvc://models/zoo" and model["runtime"] == "kserve-tritonserver"
    assert all(isinstance(amount, str) for amount in model["resources"]["limits"].values())  # quantities, not numbers


def test_it_reads_from_the_general_to_the_particular(folder):
    """The order of keys is that of KServe's own examples, without aliases."""
    text = kserve.text(folder, kserve.Options("pvc://models/zoo"))
    keys = ["apiVersion:", "kind:", "metadata:", "spec:", "minReplicas:", "modelFormat:", "storageUri:", "resources:"]
    places = [text.index(key) for key in keys]
    assert places == sorted(places) and "&" not in text and "*" not in text


def test_it_grows_and_asks_for_gpus(folder):
    assert service(folder, name="no")["metadata"] == {"name": "no"}  # a name, not the YAML word for false
    made = service(folder, name="pictures", min_replicas=0, max_replicas=9, gpu=True)["spec"]["predictor"]
    assert (made["minReplicas"], made["maxReplicas"]) == (0, 9)
    assert made["scaleMetric"] == "concurrency" and made["scaleTarget"] == 16
    resources = made["model"]["resources"]
    assert resources["requests"] == resources["limits"] and resources["limits"]["nvidia.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in service(folder)["spec"]["predictor"]["model"]["resources"]["limits"]


def test_it_says_where_every_model_answers(folder):
    comments = [line for line in kserve.text(folder, kserve.Options("pvc://x")).splitlines() if line.startswith("#")]
    assert comments[1:] == ["#   /v2/models/points/infer", "#   /v2/models/tiny/infer"]


def test_artifacts_that_cannot_be_trusted_are_not_described(folder):
    (folder / "tiny" / "generator.onnx").write_bytes(b"")
    with pytest.raises(ServeError, match="changed or damaged"):
        service(folder)
