"""A plan -> Keras networks, and what moves their weights.

    spec.plan -> networks (layers) -> losses (penalties) -> autodiff -> optimizers; batch_norm for what leaves

May import: zoo.core, zoo.spec, Keras; autodiff its three backends.
"""
