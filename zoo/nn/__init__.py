"""A plan -> Keras networks, and the functions that train their weights.

    spec.plan -> networks (layers) -> losses (penalties) -> autodiff -> optimizers; batch_norm before the export

May import: zoo.core, zoo.spec, Keras; autodiff its three backends.
"""
