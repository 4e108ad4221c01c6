"""An earlier run in the folder of a new one: kept under another name."""

from __future__ import annotations

import itertools
import shutil
import sys
from pathlib import Path

from zoo.train import checkpoint
from zoo.train.kept import KEPT_FILE
from zoo.train.monitor import BEST_FILE, WAITING_FILE


def set_aside(folder: Path) -> None:
    """Rename an earlier run to <name>.previous: forgetting --resume must not cost an hour of training.

    A folder without a checkpoint loses what an early end left in it, and nothing else: it may be the user's own.
    """
    if (folder / checkpoint.FILE).exists():
        names = (f"{folder.name}.previous{f'-{number}' if number > 1 else ''}" for number in itertools.count(1))
        previous = next(path for path in map(folder.with_name, names) if not path.exists())
        folder.rename(previous)
        print(f"{folder.name}: the earlier run is kept in {previous}", file=sys.stderr)
    else:
        shutil.rmtree(folder / "tensorboard", ignore_errors=True)
        for name in (BEST_FILE, WAITING_FILE, KEPT_FILE):
            (folder / name).unlink(missing_ok=True)
        for suffix in ("png", "npz"):
            for sheet in folder.glob(f"*-{'[0-9]' * 7}.{suffix}"):
                sheet.unlink()
