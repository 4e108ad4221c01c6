"""The spec language: one YAML file describes a model and its training.

    YAML -> yaml_tree -> merge (extends, --set) -> validate (schema.json, types) -> expand (shapes) -> plan
         -> checks, algorithm_checks, growth -> read: a frozen Spec (sections), or all mistakes (diagnostics)
         game_words -> game_calls, game_phases -> game_checks, game_turns -> game_reader: its game, if it has one
                       game_leaving: the values of it that are exported
    game_text, game_drawing, game_expansion   the game in words, as a picture, as YAML to paste
    shapes_*        rules of layers, which this file imports so that a new file is found by itself
    feeds, sizes    what a finished Spec needs later: its real data and latents, the image sizes a translator takes

Start at `read`. May import: zoo.core, zoo.data, zoo.artifact, zoo.runtime.priors, yaml. Never Keras.
"""

from __future__ import annotations

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    if _module.name.startswith(f"{__name__}.shapes_"):
        importlib.import_module(_module.name)
