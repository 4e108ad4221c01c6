"""Measures of generated data: arrays in, floats out, NumPy alone. Each states its protocol and its floor.

modes        points against a mixture of Gaussians: modes found, share of high quality, reverse KL
frechet      two sets of features: the distance of the Gaussians that fit them
pairs        aligned images: mean absolute difference, structural similarity
labels       what was asked for against what a classifier sees
patches      two sets of images: sliced Wasserstein distance of their patches, scale by scale
ranks        do two curves rise and fall together: Spearman's rank correlation
"""
