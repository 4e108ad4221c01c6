"""An artifact -> metrics.json, on the very file that it ships.

    folder -> subject (samples, real data, features) -> measures -> scoring

May import: zoo.metrics, zoo.spec and what stands below them. Never Keras.
"""
