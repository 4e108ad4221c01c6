"""An InferenceService for KServe: Triton on Kubernetes, over the repository that `zoo deploy triton` wrote."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from zoo.deploy.notation import yaml
from zoo.runtime.load import find_networks

CONCURRENCY = 16  # requests under way in one replica before another one is started: a full batch


@dataclass(frozen=True)
class Options:
    """`storage_uri` is where the repository lies for the cluster: pvc://CLAIM/PATH, s3://..., gs://..., https://..."""

    storage_uri: str
    name: str = "gan-zoo"
    min_replicas: int = 1
    max_replicas: int = 4
    gpu: bool = False


def text(folder: str | os.PathLike[str], options: Options) -> str:
    """The YAML of one service for all networks of a folder of artifacts. Raises ServeError for what is wrong in it."""
    paths = (f"#   /v2/models/{network.name}/infer\n" for network in find_networks(folder))
    head = f"# {options.storage_uri} must hold what `zoo deploy triton` wrote. The service answers at\n{''.join(paths)}"
    return head + yaml(_service(options))


def _service(options: Options) -> dict[str, Any]:
    need = {"cpu": "2", "memory": "4Gi", **({"nvidia.com/gpu": "1"} if options.gpu else {})}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": options.name},
        "spec": {
            "predictor": {
                "minReplicas": options.min_replicas,
                "maxReplicas": options.max_replicas,
                "scaleMetric": "concurrency",
                "scaleTarget": CONCURRENCY,
                "model": {
                    "modelFormat": {"name": "onnx"},
                    "protocolVersion": "v2",  # without it KServe finds no runtime for onnx
                    "runtime": "kserve-tritonserver",
                    "storageUri": options.storage_uri,
                    "resources": {"requests": need, "limits": need},
                },
            }
        },
    }
