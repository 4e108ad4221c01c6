"""Host facts: usable cores, name of the processor, memory, folder for caches, installed packages."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

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
    processor = _cpuinfo("model name") or platform.processor() or platform.machine()
    return f"{cpu()}, {processor}"


def machine_id() -> str:
    """Return a hash of what decides how this process computes: processor, its instruction sets, usable cores.

    Returns:
        64 hexadecimal digits; the same after a restart, and on another machine of the same kind.
    """
    facts = (describe_host(), platform.machine(), platform.system(), _cpuinfo("flags") or _cpuinfo("Features"))
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _cpuinfo(key: str) -> str:
    """Return the first value of a key of /proc/cpuinfo, or an empty string."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next((value.strip() for name, _, value in (line.partition(":") for line in file)
                         if name.strip() == key), "")  # fmt: skip
    except OSError:
        return ""


def cache_folder() -> Path:
    """Return the folder of the cache.

    Returns:
        $ZOO_DATA, else `gan-zoo` in the platform's folder for caches. It need not exist.
    """
    if stated := os.environ.get("ZOO_DATA"):
        return Path(stated).expanduser().absolute()  # package clients run in folders of their own
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local")
    elif sys.platform == "darwin":
        base = Path("~/Library/Caches")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return base.expanduser() / "gan-zoo"


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
