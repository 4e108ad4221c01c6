"""An artifact -> metrics.json, measured on the very file that it ships.

    folder -> subject (samples, real data, features) -> measures, right_labels (one registration a metric) -> scoring

May import: zoo.metrics, zoo.spec and what stands below them. Never Keras.
"""

from zoo.evaluate import right_labels as right_labels  # registers its metrics
