"""Claims of the papers, each a program that tries one and reports its numbers: `zoo reproduce`.

    base            a claim, and how it is run and kept; helpers that claims share
    trainings       trainings with snapshots, and small games in memory
    experiment      claims in YAML: specs/claims/NAME.yaml, and those of users
    measurements    what they measure
    plots           what they draw
    NAME.py         one claim each, where a formula is computed; found by itself

May import: everything but zoo.cli.
"""

from __future__ import annotations

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
