"""Host facts, against what the system states elsewhere."""

import os
import subprocess
import sys

import pytest

from zoo.core import host
from zoo.core.host import cpu, memory


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_cores_are_those_that_the_process_may_use():
    first = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, [{first}]); from zoo.core.host import cores, cpu; print(cores(), cpu())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "1 1 CPU core\n"
    assert host.cores() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("cores, words", [(1, "1 CPU core"), (2, "2 CPU cores"), (64, "64 CPU cores")])
def test_cores_in_words(monkeypatch, cores, words):
    monkeypatch.setattr(host, "cores", lambda: cores)
    assert cpu() == words


def test_memory_is_the_machines():
    try:
        with open("/proc/meminfo", encoding="utf-8") as file:
            total = 1024 * int(next(file).split()[1])
    except OSError:
        pytest.skip("this system has no /proc/meminfo")
    assert memory() == pytest.approx(total, rel=0.02)


def test_memory_is_guessed_where_the_system_does_not_say(monkeypatch):
    monkeypatch.delattr(os, "sysconf")
    assert memory() == 16 * 2**30
