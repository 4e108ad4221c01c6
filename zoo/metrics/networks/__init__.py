"""The networks of metrics, run by ONNX Runtime alone.

    download (packages that carry weights) -> inception, lpips (converted once by onnx_builder, kept by network)
    judge    the classifiers of garments and of digits that come with the zoo
    reader   the classifier of the nine labels of critters, likewise (both are read by shipped)

May import: zoo.core, zoo.data, zoo.runtime, NumPy, onnx.
"""
