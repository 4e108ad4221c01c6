"""Latent priors: how the inputs of a generator are drawn, and how one walks between two draws. NumPy only.

Numbers come from `RandomState` (MT19937): NumPy promises that its stream never changes, which it does not promise for
`Generator`. A seed printed in a paper's appendix, a golden file or a URL therefore means the same picture for ever.
Training, which makes no such promise, passes a faster `Generator`.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.core.arrays import Array
from zoo.core.registry import Registry

Random = np.random.RandomState | np.random.Generator
MAX_SEED = 2**32 - 1

PRIORS: Registry[Callable[..., Prior]] = Registry("prior")


@dataclass(frozen=True)
class Prior:
    """A distribution over latents of one `shape` and `dtype`. Drawing 2 and then 3 rows equals drawing 5.

    `sampler` draws [n, *shape], `path` goes from a latent to another, and `nearest` moves any [n, *shape] to
    where the prior has latents at all.
    """

    shape: tuple[int, ...]
    sampler: Callable[[Random, tuple[int, ...]], Array]
    path: Callable[[Array, Array, float], Array]
    nearest: Callable[[Array], Array] = np.asarray
    dtype: str = "float32"

    def draw(self, random: Random, n: int) -> Array:
        """Return `n` latents [n, *shape]."""
        return self.sampler(random, (n, *self.shape)).astype(self.dtype)

    def between(self, a: Array, b: Array, t: float) -> Array:
        """Return the latent a fraction `t` of the way from `a` to `b`, [*shape]; exact at 0 and at 1."""
        return self.path(np.asarray(a, np.float64), np.asarray(b, np.float64), t).astype(self.dtype)


@PRIORS.register
def normal(*, shape: tuple[int, ...]) -> Prior:
    """Independent N(0, 1). Walks along great circles: a straight line would cross the empty middle of the shell."""
    return Prior(_shape(shape), lambda random, size: random.standard_normal(size), slerp)


@PRIORS.register
def uniform(*, shape: tuple[int, ...], low: float = -1.0, high: float = 1.0) -> Prior:
    """Independent U(low, high). Walks straight: the box is convex."""
    if not (isinstance(low, int | float) and isinstance(high, int | float) and -math.inf < low < high < math.inf):
        raise ValueError(f"uniform needs finite low < high, received low={low!r}, high={high!r}")
    return Prior(_shape(shape), lambda random, size: random.uniform(low, high, size), lerp)


@PRIORS.register
def sphere(*, shape: tuple[int, ...]) -> Prior:
    """Uniform on the sphere of norm sqrt(d), d = prod(shape): what PGGAN's pixel norm makes of N(0, 1) latents.

    Karras et al. 2018: latents lie on a hypersphere, and pixel norm makes the mean SQUARE 1: norm sqrt(d), not 1.
    """

    def onto(z: Array) -> Array:
        flat = z.reshape(len(z), -1)  # [n, d]
        return (flat / np.sqrt(np.mean(flat**2, axis=1, keepdims=True))).reshape(z.shape)

    return Prior(_shape(shape), lambda random, size: onto(random.standard_normal(size)), slerp, onto)


@PRIORS.register
def categorical(*, classes: int | tuple[str, ...]) -> Prior:
    """An id of one of `classes`, all equally likely: their number, or their names. Networks read it as a label; what is
    exported offers it by name."""
    count = classes if isinstance(classes, int) else len(classes)

    def ids(random: Random, size: tuple[int, ...]) -> Array:
        draw = random.randint if isinstance(random, np.random.RandomState) else random.integers
        return np.asarray(draw(count, size=size, dtype=np.int64))

    return Prior((), ids, lambda a, b, t: a if t < 1 else b, dtype="int64")


# What a manifest states beside the priors of the language
OFFERED: Registry[Callable[..., Prior]] = Registry("prior of an input")


@OFFERED.register
def given(*, shape: tuple[int, ...], default: float, low: float | None = None, high: float | None = None) -> Prior:
    """A number that a user may give, from `low` to `high`, such as the psi of a truncation; else it is `default`."""
    for name, number in (("default", default), ("low", low), ("high", high)):
        optional = number is None and name != "default"
        if not optional and not (isinstance(number, int | float) and math.isfinite(number)):
            raise ValueError(f"given takes finite numbers, received {name}={number!r}")

    def same(z: Array) -> Array:
        return np.full_like(z, default)

    return Prior(_shape(shape), lambda random, size: np.full(size, default), lambda a, b, t: a, same)


def make(part: Mapping[str, Mapping[str, Any]], *, shape: tuple[int, ...]) -> Prior:
    """Make the prior that a manifest states.

    Args:
        part: Name -> arguments, such as {"uniform": {"low": 0}}.
        shape: The shape of one row of the input.

    Returns:
        The prior.

    Raises:
        ValueError: An unknown prior or argument, a wrong value, or another shape.
    """
    try:
        ((name, args),) = part.items()
        known = OFFERED if name in OFFERED else PRIORS
        bound = known.bind(name, {"shape": shape, **args})
        prior = known.get(name)(**bound)
    except (KeyError, TypeError) as error:
        raise ValueError(error.args[0]) from error
    if prior.shape != shape:
        raise ValueError(f"its shape is {list(prior.shape)}, the tensor's is {list(shape)}")
    return prior


def labels(random: np.random.RandomState, n: int, *, classes: int) -> Array:
    """Draw class ids uniformly.

    Args:
        random: The stream of the input.
        n: The number of rows.
        classes: The number of classes.

    Returns:
        int64 [n] in 0..classes-1.
    """
    return random.randint(classes, size=n, dtype=np.int64)


def stream(seed: int, name: str) -> np.random.RandomState:
    """Return the random stream of an input: inputs never share numbers, and never shift each other's.

    Args:
        seed: 0..2**32-1.
        name: Name of the input.

    Returns:
        MT19937 with the key [seed, CRC-32 of the name].

    Raises:
        ValueError: A seed outside that range.
    """
    if not 0 <= seed <= MAX_SEED:
        raise ValueError(f"a seed lies in 0..{MAX_SEED}, received {seed}")
    return np.random.RandomState([seed, zlib.crc32(name.encode())])


def lerp(a: Array, b: Array, t: float) -> Array:
    """Straight line from `a` to `b`."""
    return (1 - t) * a + t * b


def slerp(a: Array, b: Array, t: float) -> Array:
    """Great circle from `a` to `b` (White 2016, section 2.1); parallel and opposite vectors go straight."""
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    omega = np.arccos(np.clip(np.vdot(a, b) / norms, -1, 1)) if norms > 0 else 0.0
    if np.sin(omega) < 1e-6:
        return lerp(a, b, t)
    return (np.sin((1 - t) * omega) * a + np.sin(t * omega) * b) / np.sin(omega)


def _shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Return a tuple of positive whole numbers; YAML and JSON have lists."""
    if isinstance(shape, str | bytes) or not isinstance(shape, Sequence) or not shape:
        raise ValueError(f"a latent shape is a list of whole numbers such as [100], received {shape!r}")
    if not all(isinstance(d, int) and not isinstance(d, bool) and d > 0 for d in shape):
        raise ValueError(f"a latent shape has whole numbers above 0, received {list(shape)}")
    return tuple(shape)
