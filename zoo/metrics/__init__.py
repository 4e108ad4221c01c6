"""Measures of generated data: arrays in, floats out, NumPy alone. Each states its protocol and its floor.

modes        points against a mixture of Gaussians: modes found, share of high quality, reverse KL
frechet      two sets of features: the distance of the Gaussians that fit them
pairs        aligned images: mean absolute difference, structural similarity
labels       what was asked for against what a classifier sees
patches      two sets of images: sliced Wasserstein distance of their patches, scale by scale
ranks        do two curves rise and fall together: Spearman's rank correlation
kernel       two sets of features: the unbiased squared kernel discrepancy (KID)
neighbours   two sets of features: precision and recall, density and coverage; do fakes copy the training set
scores       a classifier's logits: the Inception score
walks        features along latent walks: the largest step against the mean one
stacked      classes of three stacked digits: modes found of 1,000, reverse KL

features and distances are what these share: which sets they take, and distances of large sets block by block.
"""
