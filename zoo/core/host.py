"""Host facts: usable cores, name of the processor, memory, installed packages."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.util import find_spec

from zoo.core.errors import UsageError


def cores() -> int:
    """Return the number of cores that this process may use.

    Returns:
        At least 1; in a container often fewer than the machine has.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu() -> str:
    """Return the usable cores in words, for manifests and model cards.

    Returns:
        "1 CPU core", "2 CPU cores".
    """
    return "1 CPU core" if cores() == 1 else f"{cores()} CPU cores"


def describe_host() -> str:
    """Return the usable cores and the name of the processor, for records of measurements.

    Returns:
        Such as "2 CPU cores, AMD EPYC 7763 64-Core Processor".
    """
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            processor = next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    return f"{cpu()}, {processor}"


def memory() -> int:
    """Return the memory of the machine.

    Returns:
        Bytes; 16 GiB where the system does not state it.
    """
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 16 * 2**30


def require_packages(command: str, modules: Sequence[str], *, extra: str = "train") -> None:
    """Check that the packages of an extra are installed, without importing them.

    Args:
        command: The command that needs them, as a user types it after `zoo`.
        modules: Names of top-level modules.
        extra: The extra of this package that installs them.

    Raises:
        UsageError: One is missing; the message has the command that installs it.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        how = f"pip install 'gan-zoo[{extra}]' (in a checkout: pip install -e '.[{extra}]')"
        raise UsageError(f"`zoo {command}` needs {', '.join(missing)}: {how}")
