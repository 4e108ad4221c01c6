"""Measures of generated data: arrays in, floats out. Each states its protocol and its floor.

fid          two sets of features: the distance of the Gaussians that fit them
kid          two sets of features: the unbiased squared kernel discrepancy
prdc         two sets of features: precision and recall, density and coverage; do fakes copy the training set
swd          two sets of images: sliced Wasserstein distance of their patches, scale by scale
ssim         aligned images: structural similarity, mean absolute difference
classifier   a classifier's logits: the Inception score, agreement with the labels that were asked for
modes        points against a mixture of Gaussians: modes found, share of high quality, reverse KL
stacked      classes of three stacked digits: modes found of 1,000, reverse KL
smoothness   features along latent walks: the largest step against the mean one
distances    shared by fid, kid and prdc: the check of sets of features, distances of large sets block by block
networks/    the networks that turn images into features

A new metric is a function here and its registration in zoo/evaluate/measures.py.

May import: zoo.core and NumPy.
"""
