"""Runs the page's modules under node, without a browser."""

import contextlib
import json
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

import zoo

PAGE = Path(zoo.__file__).parent / "serve" / "page"
PATIENCE_SECONDS = 60
LOOP = """
    import { createInterface } from "node:readline";
    const plain = (_, v) => typeof v === "bigint" ? Number(v) : ArrayBuffer.isView(v) ? Array.from(v) : v;
    const AsyncFunction = (async () => {}).constructor;
    const answer = async ({ address, code, given }) => {
        const module = await import(address);
        return new AsyncFunction(...Object.keys(module), "given", code)(...Object.values(module), given);
    };
    for await (const line of createInterface({ input: process.stdin })) {
        const result = answer(JSON.parse(line)).then((made) => ({ made }), (error) => ({ error: error.stack }));
        console.log(JSON.stringify(await result, plain));
    }
"""


@contextlib.contextmanager
def node():
    """Yield run(module, code, **given), which returns what `code` returns; it sees the exports of the module."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("node is not installed: the modules of the page cannot run")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    with subprocess.Popen([program, "--input-type=module", "-e", LOOP], **pipes) as process:

        def run(module, code, **given):
            process.stdin.write(json.dumps({"address": (PAGE / module).as_uri(), "code": code, "given": given}) + "\n")
            process.stdin.flush()
            watch = threading.Timer(PATIENCE_SECONDS, process.kill)
            watch.start()
            line = process.stdout.readline()
            watch.cancel()
            assert line, f"node ended, or did not answer for {PATIENCE_SECONDS} s"
            answer = json.loads(line)
            assert "error" not in answer, answer["error"]
            return answer.get("made")

        yield run
        process.stdin.close()
