"""Exported generators for engines that run on many machines: Triton, KServe, Ray Serve. Theirs is the serving.

May import: zoo.serve and what stands below it, yaml. Never Keras or TensorFlow.
"""
