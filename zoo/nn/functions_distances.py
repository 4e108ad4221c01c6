"""Distances between tensors, and likelihoods: functions of a game that are minimised. All are means."""

from __future__ import annotations

import math
from typing import Literal

import keras
from keras import ops

from zoo.nn.autodiff import Tensor
from zoo.nn.functions import Per, aligned, averaged, function
from zoo.spec.types import Amount, Taps, Value, Values


@function()
def l1(*, between: Values, per: Per = "batch") -> Tensor:
    """The mean absolute difference of two values."""
    x, y = between
    return averaged(ops.abs(_float(x) - _float(y)), per)


@function()
def l2(*, between: Values, per: Per = "batch") -> Tensor:
    """The mean squared difference of two values."""
    x, y = between
    return averaged(ops.square(_float(x) - _float(y)), per)


@function()
def gram(
    *, between: Values, layers: Taps = (), divided_by: Literal["elements", "positions"] = "elements", per: Per = "batch"
) -> Tensor:
    """The mean squared difference of Gram matrices F^T F of feature maps, in the mean over `layers`. The matrices are
    divided by height * width * channels (Johnson et al. 2016, eq. 3), or by the positions alone, height * width: four
    times the style loss of Gatys et al. 2015, eq. 4 and 5, with equal shares."""
    xs, ys = between if layers else tuple([x] for x in between)
    pairs = zip(xs, ys, strict=True)
    terms = [averaged(ops.square(_gram(x, divided_by) - _gram(y, divided_by)), per) for x, y in pairs]
    total, *rest = terms
    for term in rest:
        total = total + term
    return total / len(terms)


def _gram(x: Tensor, divided_by: str) -> Tensor:
    """Return F^T F of feature maps [B, h, w, c], divided by their elements or positions: [B, c, c]."""
    h, w, c = x.shape[1:]
    flat = ops.reshape(x, (-1, h * w, c))
    return ops.matmul(ops.transpose(flat, (0, 2, 1)), flat) / (h * w * (c if divided_by == "elements" else 1))


@function()
def feature_matching(*, real: Value, fake: Value, norm: Literal["l1", "l2"] = "l1") -> Tensor:
    """Salimans et al. 2016, section 3.1: the distance between the means over the batch of features of D: mean absolute
    (the authors' code), or mean squared."""
    difference = ops.mean(real, axis=0) - ops.mean(fake, axis=0)
    return ops.mean(ops.abs(difference) if norm == "l1" else ops.square(difference))


@function()
def total_variation(*, of: Value, norm: Literal["l1", "l2"] = "l2", per: Per = "batch") -> Tensor:
    """The mean squared difference of neighbouring pixels, down and across, or with `norm: l1` the mean absolute one.

    Johnson et al. 2016, section 3.2, sum where this has means: their weight times the number of values of a picture.
    """
    size = ops.abs if norm == "l1" else ops.square
    down, across = of[:, 1:] - of[:, :-1], of[:, :, 1:] - of[:, :, :-1]
    return averaged(size(down), per) + averaged(size(across), per)


@function()
def cross_entropy(*, of: Value, labels: Value, per: Per = "batch") -> Tensor:
    """Minus the logarithm of the probability that logits give to the class ids `labels`."""
    one_hot = ops.one_hot(ops.cast(labels, "int32"), of.shape[-1], dtype=of.dtype)
    return averaged(-ops.sum(one_hot * ops.log_softmax(of, axis=-1), axis=-1), per)


@function()
def binary_cross_entropy(*, of: Value, target: Amount, per: Per = "batch") -> Tensor:
    """Minus the log likelihood of `target`, a number in [0, 1] or a value, under logits."""
    of, target = aligned(of, target)
    return averaged(ops.softplus(of) - of * target, per)


@function()
def gaussian_nll(*, of: Value, mean: Amount, log_variance: Amount = 0.0, per: Per = "batch") -> Tensor:
    """Minus the log density of a value under a normal distribution, of one component."""
    of, mean, log_variance = aligned(of, mean, log_variance)
    log_variance = log_variance + ops.zeros_like(of)
    return averaged(0.5 * (log_variance + ops.square(of - mean) * ops.exp(-log_variance) + math.log(2 * math.pi)), per)


@function()
def gaussian_kl(*, mean: Value, log_variance: Amount, per: Per = "batch") -> Tensor:
    """The divergence of a normal distribution from N(0, 1), of one component. Kingma and Welling 2013, appendix B."""
    mean, log_variance = aligned(mean, log_variance)
    log_variance = log_variance + ops.zeros_like(mean)
    return averaged(0.5 * (ops.square(mean) + ops.exp(log_variance) - log_variance - 1.0), per)


def _float(x: Tensor) -> Tensor:
    """Return whole numbers, such as class ids, and a number that a user gives, as tensors of floats."""
    x = ops.convert_to_tensor(x)
    return x if "float" in keras.backend.standardize_dtype(x.dtype) else ops.cast(x, keras.config.floatx())
