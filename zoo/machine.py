"""The machine underfoot: how many cores, which processor, how much memory."""

from __future__ import annotations

import os
import platform


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


def described() -> str:
    """Cores and processor, as measurements say them."""
    return f"{cpu()}, {processor()}"


def memory() -> int:
    """Bytes of memory; 16 GB where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 16 * 2**30
