"""The machine underfoot: how many cores, which processor, how much memory."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.util import find_spec

from zoo.core.errors import UsageError


def cores() -> int:
    """Those that this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu() -> str:
    """Those cores in words, as manifests and cards say them."""
    return "1 CPU core" if cores() == 1 else f"{cores()} CPU cores"


def processor() -> str:
    """What the processor calls itself."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def describe_host() -> str:
    """Cores and processor, as measurements say them."""
    return f"{cpu()}, {processor()}"


def memory() -> int:
    """Bytes of memory; 16 GB where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 16 * 2**30


def require_packages(command: str, modules: Sequence[str], *, extra: str = "train") -> None:
    """Check that the packages of an extra are installed, without importing them.

    Args:
        command: What needs them, as a user types it after `zoo`.
        modules: Names of top-level modules.
        extra: The extra of this package that brings them.

    Raises:
        UsageError: One is missing; the message has the command that installs it.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        how = f"pip install 'gan-zoo[{extra}]' (in a checkout: pip install -e '.[{extra}]')"
        raise UsageError(f"`zoo {command}` needs {', '.join(missing)}: {how}")
