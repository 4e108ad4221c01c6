"""Measures an exported model, on the very file that it ships, without Keras, TensorFlow or PyTorch.

subject    what is measured: the artifact, what it makes, the real data that it is held against, their features
measures   every number by name, with what it needs and its protocol
speed      how long the file takes on this machine
numbers    from measures to scores
progress   how far it is
check      what was measured, measured once more
command    `zoo evaluate`: chooses, shows progress, writes metrics.json and the card
"""
