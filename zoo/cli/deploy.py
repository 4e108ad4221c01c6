"""`zoo deploy triton|kserve|ray`: flags, and the files that come of them."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from zoo.core.errors import UsageError
from zoo.core.files import write_whole
from zoo.deploy import kserve, ray, triton

HELP = "describe exported generators to an engine that runs on many machines"
EXAMPLES = """\
  zoo deploy triton exported/ --out model_repository
  zoo deploy kserve exported/ --storage-uri pvc://models/zoo --out kserve.yaml
  zoo deploy ray exported/ --max-replicas 8 --out ray.yaml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `zoo deploy` understands."""
    engines = parser.add_subparsers(required=True, metavar="ENGINE")
    p = _engine(engines, "triton", "a model repository for Triton Inference Server", Path("model_repository"))
    p.add_argument("--max-batch", type=_count, help="rows of a batch (default: 64, for images of any size 4)")
    p.add_argument(
        "--delay-ms",
        type=_milliseconds,
        default=3.0,
        help="how long a request waits for others to join its batch (default: 3)",
    )
    p.add_argument("--threads", type=_count, help="CPU threads of one call (default: ONNX Runtime's choice)")
    p.add_argument("--gpu", action="store_true", help="run on NVIDIA GPUs")
    p.add_argument("--precision", help="take this variant of every network, such as fp16 (default: float32)")
    p.set_defaults(engine=_triton)

    p = _engine(engines, "kserve", "an InferenceService over that repository, for Kubernetes", Path("kserve.yaml"))
    p.add_argument(
        "--storage-uri",
        required=True,
        type=_uri,
        help="where the cluster finds what `zoo deploy triton` wrote: pvc://CLAIM/PATH, s3://, gs://, https://",
    )
    p.add_argument("--name", type=_dns_name, default="gan-zoo", help="name of the service (default: gan-zoo)")
    _replicas(p, lowest=0, most=4)
    p.add_argument("--gpu", action="store_true", help="ask for one NVIDIA GPU per replica")
    p.set_defaults(engine=_kserve)

    p = _engine(
        engines, "ray", "a config file for Ray Serve: the server of `zoo serve` in many replicas", Path("ray.yaml")
    )
    _replicas(p, lowest=1, most=8)
    p.add_argument("--cpus", type=_count, default=1, help="cores of one replica (default: 1)")
    p.add_argument("--gpu", action="store_true", help="give every replica an NVIDIA GPU")
    p.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    p.add_argument("--port", type=_port, default=8000, help="port to listen on (default: 8000)")
    p.set_defaults(engine=_ray)


def run(options: argparse.Namespace) -> int:
    """Write the files of the chosen engine."""
    return int(options.engine(options))


def _engine(group: argparse._SubParsersAction, name: str, what: str, out: Path) -> argparse.ArgumentParser:
    p = group.add_parser(name, help=what, description=f"Write {what}.")
    p.add_argument("artifacts", type=Path, help="a folder such as exported/, or a single artifact")
    p.add_argument("--out", type=Path, default=out, help=f"where to (default: {out})")
    return p


def _replicas(p: argparse.ArgumentParser, *, lowest: int, most: int) -> None:
    at_least = _count if lowest else _whole
    p.add_argument("--min-replicas", type=at_least, default=1, help="that always run (default: 1)")
    p.add_argument("--max-replicas", type=_count, default=most, help=f"under load (default: {most})")


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


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected a whole number, received '{text}'")
    return int(text)


def _count(text: str) -> int:
    if _whole(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, received '{text}'")
    return int(text)


def _port(text: str) -> int:
    if not 1 <= _whole(text) <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port in 1..65535, received '{text}'")
    return int(text)


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
