"""A plan -> Keras networks, and the functions that train their weights.

    devices -> spec.plan -> networks (layers) -> losses (penalties) -> loss_scale, autodiff -> optimizers;
    batch_norm before the export, joined and layers_game for a value that leaves

May import: zoo.core, zoo.spec, Keras; autodiff, devices and replicas its three backends.
"""
