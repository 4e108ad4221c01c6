"""An artifact -> images, with NumPy and ONNX Runtime alone.

    folder or .onnx -> load -> session -> generator (inputs, priors, texts) -> images
    parity    the same road in a fresh process, compared with what Keras computed

May import: zoo.core, zoo.artifact, NumPy, ONNX Runtime. Never Keras, TensorFlow, JAX, PyTorch or YAML.
"""
