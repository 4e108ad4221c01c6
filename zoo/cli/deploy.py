"""`zoo deploy triton|kserve|ray`: write the files with which an engine runs exported generators."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from zoo.cli import arguments
from zoo.core.errors import UsageError
from zoo.core.files import write_whole
from zoo.deploy import kserve, ray, triton

HELP = "write files for an engine that runs exported generators on many machines"
EXAMPLES = """\
  zoo deploy triton exported/ --out model_repository
  zoo deploy kserve exported/ --storage-uri pvc://models/zoo --out kserve.yaml
  zoo deploy ray exported/ --max-replicas 8 --out ray.yaml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the engines of `zoo deploy` and their flags."""
    engines = parser.add_subparsers(required=True, metavar="ENGINE")
    p = _engine(engines, "triton", "a model repository for Triton Inference Server", Path("model_repository"))
    p.add_argument("--max-batch", type=arguments.count, help="rows of a batch (default: 64, for images of any size 4)")
    p.add_argument(
        "--delay-ms", type=_milliseconds, default=3.0,
        help="how long a request waits for others to join its batch (default: 3)",
    )  # fmt: skip
    p.add_argument("--threads", type=arguments.count, help="CPU threads of one call (default: ONNX Runtime's choice)")
    p.add_argument("--gpu", action="store_true", help="run on NVIDIA GPUs")
    p.add_argument("--precision", help="take this variant of every network, such as fp16 (default: float32)")
    p.set_defaults(engine=_triton)

    p = _engine(engines, "kserve", "an InferenceService over that repository, for Kubernetes", Path("kserve.yaml"))
    p.add_argument(
        "--storage-uri", required=True, type=_uri,
        help="where the cluster finds the files of `zoo deploy triton`: pvc://CLAIM/PATH, s3://, gs://, https://",
    )  # fmt: skip
    p.add_argument("--name", type=_dns_name, default="gan-zoo", help="name of the service (default: gan-zoo)")
    _replicas(p, lowest=0, most=4)
    p.add_argument("--gpu", action="store_true", help="ask for one NVIDIA GPU per replica")
    p.set_defaults(engine=_kserve)

    p = _engine(
        engines, "ray", "a config file for Ray Serve: the server of `zoo serve` in many replicas", Path("ray.yaml")
    )
    _replicas(p, lowest=1, most=8)
    p.add_argument("--cpus", type=arguments.count, default=1, help="cores of one replica (default: 1)")
    p.add_argument("--gpu", action="store_true", help="give every replica an NVIDIA GPU")
    p.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    p.add_argument("--port", type=arguments.whole(1, 65535), default=8000, help="port to listen on (default: 8000)")
    p.set_defaults(engine=_ray)


def run(options: argparse.Namespace) -> int:
    """Write the files of the chosen engine."""
    arguments.check_place(options.artifacts)
    return int(options.engine(options))


def _engine(engines: argparse._SubParsersAction, name: str, written: str, out: Path) -> argparse.ArgumentParser:
    p = engines.add_parser(name, help=written, description=f"Write {written}.")
    p.add_argument("artifacts", type=Path, help="a folder such as exported/, or a single artifact")
    p.add_argument("--out", type=Path, default=out, help=f"where to write it (default: {out})")
    return p


def _replicas(p: argparse.ArgumentParser, *, lowest: int, most: int) -> None:
    p.add_argument("--min-replicas", type=arguments.whole(lowest), default=1, help="that always run (default: 1)")
    p.add_argument("--max-replicas", type=arguments.count, default=most, help=f"under load (default: {most})")


def _triton(options: argparse.Namespace) -> int:
    chosen = triton.Options(
        max_batch=options.max_batch, delay_microseconds=round(options.delay_ms * 1000), threads=options.threads,
        gpu=options.gpu, precision=options.precision,
    )  # fmt: skip
    names = triton.write(options.artifacts, options.out, chosen)
    flags = "--disable-auto-complete-config --strict-readiness=true"
    print(f"{options.out}: {', '.join(names)}\nnext:")
    print(f"  tritonserver --model-repository={options.out.resolve()} {flags}")
    return 0


def _kserve(options: argparse.Namespace) -> int:
    _check_replicas(options)
    chosen = kserve.Options(
        storage_uri=options.storage_uri, name=options.name, min_replicas=options.min_replicas,
        max_replicas=options.max_replicas, gpu=options.gpu,
    )  # fmt: skip
    _write(options.out, kserve.text(options.artifacts, chosen))
    print(f"{options.out}\nnext, when {options.storage_uri} holds the repository:\n  kubectl apply -f {options.out}")
    return 0


def _ray(options: argparse.Namespace) -> int:
    _check_replicas(options)
    chosen = ray.Options(
        min_replicas=options.min_replicas, max_replicas=options.max_replicas, cpus=options.cpus, gpu=options.gpu,
        host=options.host, port=options.port,
    )  # fmt: skip
    _write(options.out, ray.text(options.artifacts, chosen))
    extras = ray.extras(chosen)
    print(f"{options.out}\nnext:\n  pip install 'gan-zoo{extras}' (in a checkout: pip install '.{extras}')\n"
          f"  serve run {options.out}")  # fmt: skip
    return 0


def _write(out: Path, text: str) -> None:
    if out.is_dir():
        raise UsageError(f"--out: {out} is a folder; name a file")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, text.encode())


def _check_replicas(options: argparse.Namespace) -> None:
    if options.min_replicas > options.max_replicas:
        least, most = options.min_replicas, options.max_replicas
        raise UsageError(f"--min-replicas must not exceed --max-replicas, received {least} and {most}")


def _milliseconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)?", text):
        raise argparse.ArgumentTypeError(f"expected milliseconds such as 3 or 0.5, received '{text}'")
    return float(text)


def _uri(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+", text):
        raise argparse.ArgumentTypeError(
            f"expected an address such as pvc://models/zoo or s3://bucket/zoo, received '{text}'"
        )
    return text


def _dns_name(text: str) -> str:
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", text):
        raise argparse.ArgumentTypeError(f"expected lower-case letters, digits and '-', received '{text}'")
    return text
