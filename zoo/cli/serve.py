"""`zoo serve`: answer requests for images over HTTP."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from zoo.cli import arguments, requirements
from zoo.core.errors import UsageError
from zoo.core.host import require_packages

HELP = "serve exported generators over HTTP: the Open Inference Protocol, and pictures"
EXAMPLES = """\
  zoo serve exported                           every generator of the folder, at http://127.0.0.1:8000
  zoo serve exported/dcgan --port 9000
  zoo serve exported --host 0.0.0.0 --api-key-file key.txt
  zoo serve exported --set max_batch=32 request_seconds=10
exit code: 0 after SIGTERM, 130 after Ctrl-C; requests in flight are finished first"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `zoo serve`."""
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("exported"),
        help="a folder of artifacts, or a single one (default: exported); changed ones are loaded again",
    )  # fmt: skip
    parser.add_argument(
        "--host", default="127.0.0.1", help="0.0.0.0 for every network (default: 127.0.0.1, this machine)"
    )
    parser.add_argument("--port", type=arguments.port, default=8000, help="0 takes a free one (default: 8000)")
    parser.add_argument(
        "--api-key-file", type=Path, help="the key that clients must send (default: the variable ZOO_API_KEY)"
    )
    parser.add_argument(
        "--set", dest="overrides", metavar="LIMIT=VALUE", action="append", default=[],
        help="change limits, such as max_batch=32; a wrong name lists them",
    )  # fmt: skip
    arguments.add_device(parser, default="cpu")
    parser.add_argument("--quiet", action="store_true", help="no line for each request")


def run(options: argparse.Namespace) -> int:
    """Serve a folder until SIGTERM or Ctrl-C."""
    arguments.check_place(options.folder)
    require_packages("serve", requirements.SERVE_MODULES, extra="serve")
    from zoo.serve import server
    from zoo.serve.settings import Settings

    key = os.environ.get("ZOO_API_KEY", "")
    if options.api_key_file:
        try:
            key = options.api_key_file.read_text("utf-8").strip()
        except UnicodeDecodeError:
            raise UsageError(f"--api-key-file: {options.api_key_file} is not a text file") from None
        if not key:
            raise UsageError(f"--api-key-file: {options.api_key_file} is empty")
    settings = Settings(api_key=key).changed(options.overrides)
    if options.device:
        settings = replace(settings, provider=arguments.provider(options))
    return server.serve(options.folder, settings, host=options.host, port=options.port, quiet=options.quiet)
