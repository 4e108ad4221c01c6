"""The networks of metrics, run by ONNX Runtime alone.

    download (packages that carry weights) -> inception, lpips (converted once by onnx_builder, kept by network)
    judge    the classifier of garments that comes with the zoo

May import: zoo.core, zoo.data, zoo.runtime, NumPy, onnx.
"""
