"""An InferenceService for KServe: Triton on Kubernetes, over the repository that `zoo deploy triton` wrote."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from zoo.runtime.load import find_networks

CONCURRENCY = 16  # requests in progress in one replica before another one is started: a full batch


@dataclass(frozen=True)
class Options:
    """Options of the service.

    `storage_uri` is the address of the repository for the cluster: pvc://CLAIM/PATH, s3://..., gs://..., https://...
    """

    storage_uri: str
    name: str = "gan-zoo"
    min_replicas: int = 1
    max_replicas: int = 4
    gpu: bool = False


def text(folder: str | os.PathLike[str], options: Options) -> str:
    """Return the YAML of one service for all networks of a folder.

    Args:
        folder: A folder of artifacts, or a single one; its networks are verified.
        options: Options of the service.

    Returns:
        The file, with the paths of all networks as comments at its top.

    Raises:
        ServeError: There is no network, or one that cannot be trusted or served.
    """
    import yaml

    paths = (f"#   /v2/models/{network.name}/infer\n" for network in find_networks(folder))
    head = f"# {options.storage_uri} must hold what `zoo deploy triton` wrote. The service answers at\n{''.join(paths)}"
    return head + yaml.safe_dump(_service(options), sort_keys=False, allow_unicode=True)


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
                    "resources": {"requests": need, "limits": dict(need)},  # a copy: YAML would write an alias
                },
            }
        },
    }
