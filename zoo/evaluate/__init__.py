"""An artifact -> metrics.json, measured on the very file that it ships.

    folder -> subject (samples, real data, features) -> measures, labels (one registration a metric) -> scoring

May import: zoo.metrics, zoo.spec and what stands below them. Never Keras.
"""

from zoo.evaluate import labels as labels  # registers its metrics
