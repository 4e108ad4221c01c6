"""What metrics look at: feature networks, run by ONNX Runtime alone.

packages      the Python packages that carry weights, opened as archives
torchscript   the weights in a TorchScript archive, read without PyTorch
graph         ONNX files, node by node
inception     the Inception of 2015-12-05 that FID is defined with, converted once to ONNX
lpips         LPIPS with AlexNet, converted likewise
kept          where converted networks are kept
network       a network by its features, its resizing and its SHA-256, and the cache of what it made of images
"""
