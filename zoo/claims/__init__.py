"""Claims of the papers, each a program that tries one and reports its numbers: `zoo reproduce`.

    base         what a claim is, how one is run and kept
    trainings    trainings with snapshots, games of two points
    NAME.py      one claim each, found here by itself

May import: everything but zoo.cli.
"""

from __future__ import annotations

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
