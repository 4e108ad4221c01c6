"""The spec language: one YAML file describes a model and its training.

    YAML -> yaml_tree -> merge (extends, --set) -> validate (schema.json, types) -> expand (shapes) -> plan
         -> checks, algorithm_checks, growth -> read: a frozen Spec (sections), or all mistakes (diagnostics)
    feeds, sizes    what a finished Spec needs later: its real data and latents, the image sizes a translator takes

Start at `read`. May import: zoo.core, zoo.data, zoo.artifact, zoo.runtime.priors, yaml. Never Keras.
"""
