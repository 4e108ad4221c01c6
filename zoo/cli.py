"""The command line: `zoo COMMAND`, listed by `zoo --help`. It parses flags, no more."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from zoo import __version__, building, commands, draw, flags, inspection
from zoo.deploy import command as deploy
from zoo.errors import ZooError
from zoo.evaluation import command as evaluation
from zoo.manifest import PRECISIONS
from zoo.report import command as reporting


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 2 for the user's mistake, 1 for ours, 130 after Ctrl-C.

    `zoo reproduce` returns 3 for a claim that does not hold.
    """
    options = parser().parse_args(spread(sys.argv[1:] if arguments is None else arguments))
    try:
        return options.run(options) or 0
    except ZooError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        print(
            "there is not enough memory for this: a smaller data.size or training.batch_size takes less",
            file=sys.stderr,
        )
        return 2
    except OSError as error:  # a folder that is a file, a full disk, no permission
        print(f"{error.filename or 'zoo'}: {error.strerror or error}", file=sys.stderr)
        return 2


def spread(arguments: Sequence[str]) -> list[str]:
    """`--set a=1 b=2 SPEC` -> `--set a=1 --set b=2 SPEC`: several values, and the spec before or after them."""
    result: list[str] = []
    for argument in arguments:
        if len(result) > 1 and result[-2] == "--set" and "=" in argument and not argument.startswith("-"):
            result.append("--set")
        result.append(argument)
    return result


def parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    top = argparse.ArgumentParser(prog="zoo", description="GANs as YAML specs, shipped as checked ONNX files.")
    top.add_argument("--version", action="version", version=f"gan-zoo {__version__}")
    group = top.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _add_build,
        _add_sample,
        _add_translate,
        _add_inspect,
        _add_convert,
        _add_serve,
        _add_check,
        _add_fetch,
        _add_list,
        _add_new,
        _add_bench,
        _add_reproduce,
        _add_evaluate,
        _add_report,
        _add_compare,
        _add_deploy,
    ):
        add(group)
    return top


def _command(group: argparse._SubParsersAction, name: str, text: str, examples: str) -> argparse.ArgumentParser:
    return group.add_parser(
        name, help=text, description=text, epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip


def _add_build(group: argparse._SubParsersAction) -> None:
    text = "train a spec and export its generator as a checked ONNX file"
    building.add_flags(_command(group, "build", text, building.EXAMPLES))


def _add_sample(group: argparse._SubParsersAction) -> None:
    p = _command(group, "sample", "draw pictures from an exported generator", """\
  zoo sample exported/dcgan -n 64 --seed 0 --out grid.png
  zoo sample exported/dcgan -n 1000 --out samples.npy       one array, uint8 [n, height, width, channels]
  zoo sample exported/dcgan -n 10 --interpolate --out walk.png
  zoo sample exported/dcgan -n 80 --walk --out walk.gif     a loop through 4 latents""")  # fmt: skip
    p.add_argument("artifact", help="a folder such as exported/dcgan, or a lone .onnx file")
    p.add_argument("-n", type=int, default=64, help="how many (default: 64)")
    p.add_argument("--seed", type=int, default=0, help="the same seed gives the same pictures (default: 0)")
    _add_loading(p)
    p.add_argument("--label", help="a class name or id, for generators with classes")
    how = p.add_mutually_exclusive_group()
    how.add_argument("--interpolate", action="store_true", help="walk from one latent to another instead")
    how.add_argument("--walk", action="store_true", help="walk in a loop through 4 latents instead")
    p.add_argument(
        "--out", type=Path, default=Path("samples.png"),
        help="a .png grid, a .npy array, or of a walk a .gif or .webp animation (default: samples.png)",
    )  # fmt: skip
    p.set_defaults(run=draw.sample)


def _add_translate(group: argparse._SubParsersAction) -> None:
    p = _command(group, "translate", "translate images with an exported translator", """\
  zoo translate exported/cyclegan face.png --network a_to_b --out other_face.png
  zoo translate exported/cyclegan photos/*.jpg --network b_to_a --fit crop --out translated""")  # fmt: skip
    p.add_argument("artifact", help="a folder such as exported/cyclegan, or a lone .onnx file")
    p.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="PNG, JPEG and other files")
    _add_loading(p)
    p.add_argument("--fit", choices=("crop", "resize", "pad"),
                   help="bring images to the nearest allowed size; without it another size is an error")  # fmt: skip
    p.add_argument("--out", type=Path, default=Path("translated"),
                   help="a folder, or a .png file for one image (default: translated)")  # fmt: skip
    p.set_defaults(run=draw.translate)


def _add_loading(p: argparse.ArgumentParser) -> None:
    p.add_argument("--network", help="which network, where the artifact holds several, such as a_to_b")
    p.add_argument("--precision", help="a variant of the artifact, such as fp16 (default: float32)")
    p.add_argument("--provider", default="cpu", help="cpu, or cuda for an NVIDIA GPU (default: cpu)")


def _add_inspect(group: argparse._SubParsersAction) -> None:
    p = _command(group, "inspect", "what an exported generator is: contract, provenance, operators, parity", """\
  zoo inspect exported/dcgan
  zoo inspect generator.onnx --json         a lone file tells it too""")  # fmt: skip
    p.add_argument("artifact", type=Path, help="a folder such as exported/dcgan, or a lone .onnx file")
    p.add_argument("--network", help="which network, where the artifact holds several (default: all)")
    p.add_argument("--json", action="store_true", help="a list with an object for each network on stdout")
    p.set_defaults(run=inspection.run)


def _add_convert(group: argparse._SubParsersAction) -> None:
    p = _command(group, "convert", "write a variant of exported networks, checked against the float32 file", """\
  zoo convert exported/dcgan --precision fp16        half the size; inputs and outputs stay float32""")  # fmt: skip
    p.add_argument("artifact", type=Path, help="a folder such as exported/dcgan")
    p.add_argument("--network", help="which network, where the artifact holds several (default: all)")
    p.add_argument("--precision", choices=PRECISIONS, required=True, help="of weights and arithmetic")
    p.set_defaults(run=building.convert)


def _add_serve(group: argparse._SubParsersAction) -> None:
    p = _command(group, "serve", "serve exported generators over HTTP: the Open Inference Protocol, and pictures", """\
  zoo serve exported                           every generator of the folder, at http://127.0.0.1:8000
  zoo serve exported/dcgan --port 9000
  zoo serve exported --host 0.0.0.0 --api-key-file key.txt
  zoo serve exported --set max_batch=32 request_seconds=10
exit code: 0 after SIGTERM, 130 after Ctrl-C; what is in flight is finished first""")  # fmt: skip
    p.add_argument("folder", nargs="?", type=Path, default=Path("exported"),
                   help="artifacts, or a single one (default: exported); changes are followed")  # fmt: skip
    p.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for every network (default: 127.0.0.1, this machine)")
    p.add_argument("--port", type=flags.port, default=8000, help="0 takes a free one (default: 8000)")
    p.add_argument("--api-key-file", type=Path,
                   help="the key that clients must send (default: the variable ZOO_API_KEY)")  # fmt: skip
    p.add_argument("--set", dest="overrides", metavar="LIMIT=VALUE", action="append", default=[],
                   help="change limits, such as max_batch=32; a wrong name lists them")  # fmt: skip
    p.add_argument("--quiet", action="store_true", help="no line for each request")
    p.set_defaults(run=commands.serve)


def _add_check(group: argparse._SubParsersAction) -> None:
    p = _command(group, "check", "find every mistake in specs, without training or TensorFlow", """\
  zoo check specs/*.yaml
  zoo check my_specs/              all .yaml files of a folder""")  # fmt: skip
    p.add_argument("specs", nargs="*", help="files or folders (default: all specs that ship with the zoo)")
    flags.add_set(p)
    p.set_defaults(run=commands.check)


def _add_fetch(group: argparse._SubParsersAction) -> None:
    p = _command(
        group, "fetch", "download a data set ahead of time, checked by its SHA-256", "  zoo fetch fashion_mnist"
    )
    p.add_argument("names", nargs="+", metavar="NAME", help="such as fashion_mnist, mnist, cifar10")
    p.set_defaults(run=commands.fetch)


def _add_list(group: argparse._SubParsersAction) -> None:
    p = _command(group, "list", "the models of the zoo, and which of them are exported here", "  zoo list")
    p.add_argument("--out", type=Path, default=Path("exported"), help="folder of artifacts (default: exported)")
    p.set_defaults(run=commands.list_models)


def _add_new(group: argparse._SubParsersAction) -> None:
    p = _command(group, "new", "begin a spec of your own", """\
  zoo new my_gan                       a commented starter with every knob
  zoo new my_gan --from dcgan""")  # fmt: skip
    p.add_argument("name", help="a lower-case word; the file is NAME.yaml")
    p.add_argument("--from", dest="base", default="_template", help="a spec that ships with the zoo")
    p.add_argument("--out", type=Path, default=Path("."), help="folder for the file (default: here)")
    p.set_defaults(run=commands.new)


def _add_bench(group: argparse._SubParsersAction) -> None:
    p = _command(
        group,
        "bench",
        "speed of training and sampling, as ratios measured in one run",
        """\
  zoo bench specs/dcgan.yaml
  zoo bench specs/vanilla.yaml --artifact exported/vanilla
  zoo bench --serve exported/dcgan             200 clients against `zoo serve`, beside direct calls""",
    )
    p.add_argument("spec", nargs="?", help="a YAML file, or the name of a spec that ships with the zoo")
    p.add_argument("--serve", type=Path, metavar="ARTIFACT", help="measure serving instead of training")
    p.add_argument("--seconds", type=flags.steps, default=60, help="with --serve: how long clients ask (default: 60)")
    p.add_argument("--clients", type=flags.steps, default=200, help="with --serve: at a time (default: 200)")
    p.add_argument("--images", type=flags.steps, default=16, help="with --serve: in each request (default: 16)")
    p.add_argument("--artifact", type=Path, help="also compare ONNX Runtime with Keras on this export of the spec")
    flags.add_set(p)
    p.set_defaults(run=commands.bench)


def _add_reproduce(group: argparse._SubParsersAction) -> None:
    p = _command(group, "reproduce", "try a claim of a paper, and see its numbers beside ours", """\
  zoo reproduce                        what can be tried, and how long it takes
  zoo reproduce saddle
  zoo reproduce ring --quick           a smaller scale, which the result says
  zoo reproduce ring --seeds 7 8 9     a claim that was stopped goes on where it was
exit code: 0 when the claim holds, 3 when it does not""")  # fmt: skip
    p.add_argument("name", nargs="?", help="a claim; without a name they are listed")
    p.add_argument("--quick", action="store_true", help="a smaller scale, where there is one")
    p.add_argument("--seeds", type=flags.seed, nargs="+", help="seeds of the trainings (default: the claim's own)")
    p.add_argument(
        "--out", type=Path, default=Path("runs/claims"),
        help="folder for NAME.json, NAME.png and trainings (default: runs/claims)",
    )  # fmt: skip
    p.add_argument(
        "--artifact", type=Path,
        help="put the result into this artifact's card (default: exported/ of the claim's spec, where it is; "
        "not with --quick)",
    )  # fmt: skip
    p.set_defaults(run=commands.reproduce)


def _add_evaluate(group: argparse._SubParsersAction) -> None:
    text = "measure an exported model: FID, KID, precision, recall and more, on the file that it ships"
    evaluation.add_flags(_command(group, "evaluate", text, evaluation.EXAMPLES))


def _add_report(group: argparse._SubParsersAction) -> None:
    text = "write cards and gallery anew from what was measured"
    reporting.add_flags(_command(group, "report", text, reporting.EXAMPLES))


def _add_compare(group: argparse._SubParsersAction) -> None:
    text = "two exported models side by side"
    reporting.add_compare_flags(_command(group, "compare", text, reporting.COMPARE_EXAMPLES))


def _add_deploy(group: argparse._SubParsersAction) -> None:
    text = "describe exported generators to an engine that runs on many machines"
    deploy.add_flags(_command(group, "deploy", text, deploy.EXAMPLES))


def run() -> NoReturn:
    """The console script."""
    sys.exit(main())


if __name__ == "__main__":
    run()
