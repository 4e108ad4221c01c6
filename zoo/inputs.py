"""What goes into an exported network: draws from its priors, ways between them, sums of them, class ids. NumPy only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from zoo import priors
from zoo.arrays import Array, as_array, as_ids, check_ids, check_input, row_shape, whole
from zoo.errors import ServeError
from zoo.manifest import Manifest
from zoo.registry import suggest
from zoo.tensor import Tensor

Feed = dict[str, Array]  # input -> rows [n, ...]
Draw = Callable[[int], Feed]
MAX_ROWS = 10**9
SEEN_ROWS = 10**5  # that one can pick from: they are drawn whole, and nobody looks at more


class Inputs:
    """The inputs of the network that `manifest` describes. Its methods raise ServeError."""

    def __init__(self, manifest: Manifest) -> None:
        self.model = manifest.model
        self.tensors = {tensor.name: tensor for tensor in manifest.inputs}
        self.label = next((tensor for tensor in manifest.inputs if tensor.classes), None)
        self._priors = {tensor.name: _prior(tensor) for tensor in manifest.inputs if tensor.prior}

    def checked(self, inputs: Mapping[str, Any]) -> Feed:
        """One array per input, all of one batch size, as the network takes them."""
        for name in inputs:
            if name not in self.tensors:
                known = ", ".join(self.tensors)
                raise ServeError(
                    f"{self.model} has no input '{name}'.{suggest(name, self.tensors)} Its inputs: {known}"
                )
        if missing := [str(tensor) for name, tensor in self.tensors.items() if name not in inputs]:
            raise ServeError(f"{self.model} lacks its input {missing[0]}")
        feed = {name: check_input(self.tensors[name], value) for name, value in inputs.items()}
        sizes = {name: len(array) for name, array in feed.items()}
        if len(set(sizes.values())) > 1:
            raise ServeError(f"the inputs differ in batch size: {', '.join(f'{k} has {v}' for k, v in sizes.items())}")
        return feed

    def stream(self, seed: int) -> Draw:
        """draw(k): the next k rows of every input's own stream. Draws of any sizes give the same rows."""
        seed = whole("seed", seed, low=0, high=priors.MAX_SEED)
        for name, tensor in self.tensors.items():
            if not (tensor.classes or tensor.prior):
                cure = (
                    "it translates: translate(images)" if tensor.is_image else f"it has no prior: call it with {tensor}"
                )
                raise ServeError(f"{self.model} cannot draw its input '{name}', {cure}")
        streams = {name: priors.stream(seed, name) for name in self.tensors}

        def draw(k: int) -> Feed:
            return {
                name: self._priors[name].draw(streams[name], k)
                if name in self._priors
                else as_ids(priors.labels(streams[name], k, classes=len(tensor.classes)), tensor)
                for name, tensor in self.tensors.items()
            }

        return draw

    def ids(self, label: Any, n: int) -> Array | None:
        """Class ids [n] from `n` ids or names, or from one for all; None stays None: they are drawn."""
        if label is None:
            return None
        if self.label is None:
            raise ServeError(f"{self.model} takes no label: it is not conditional")
        ids = as_array("label", label)
        if ids.dtype.kind == "U":
            ids = np.array([self._class_id(str(name)) for name in ids.flat], np.int64).reshape(ids.shape)
        if ids.shape not in ((), (n,)):
            raise ServeError(f"label must be one class or {n} of them, received shape {list(ids.shape)}")
        return np.broadcast_to(check_ids(self.label, ids), n)

    def labelled(self, feed: Feed, ids: Array | None) -> Feed:
        """`feed` with the class ids [n] in place of what it has; None changes nothing."""
        return feed if ids is None or self.label is None else {**feed, self.label.name: as_ids(ids, self.label)}

    def held(self, feed: Feed, row: int, label: Any) -> Array | None:
        """The class id [] that is held all the way: `label`, or that of a row of `feed`; None without classes."""
        if label is None and self.label is not None:
            label = int(feed[self.label.name][row].flat[0])
        ids = self.ids(label, 1)
        return None if ids is None else ids[0]

    def between(self, ends: Feed, places: Array, held: Array | None) -> Feed:
        """Latents at `places` [n] on the way through the rows of `ends`: 0.5 is half-way from row 0 to row 1.

        The way goes on from the last row to the first. Each prior has a path of its own.
        """
        start = places.astype(int)  # [n]
        walk = {
            name: np.stack([
                prior.between(z[k], z[(k + 1) % len(z)], place - k) for k, place in zip(start, places, strict=True)
            ])
            for name, prior in self._priors.items() for z in (ends[name],)
        }  # fmt: skip
        return self.labelled(walk, None if held is None else np.broadcast_to(held, len(places)))

    def sums(
        self, seed: int, a: Iterable[int], b: Iterable[int], c: Iterable[int], *, n: int, noise: float, label: Any
    ) -> Feed:
        """`n` rows: mean(a) - mean(b) + mean(c) over rows of the stream of `seed`; all but the first with noise."""
        picked = [[whole("a row", row, low=0, high=SEEN_ROWS - 1) for row in rows] for rows in (a, b, c)]
        if not all(picked):
            raise ServeError("each of a, b and c is a list of one or more rows, such as [0, 5, 17]")
        if not (isinstance(noise, int | float) and 0 <= noise < math.inf):
            raise ServeError(f"noise must be a number from 0 up, received {noise!r}")
        drawn = self.stream(seed)(1 + max(map(max, picked)))
        made: Feed = {}
        for name, prior in self._priors.items():
            means = [drawn[name][rows].mean(axis=0, dtype=np.float64) for rows in picked]  # 3 x [*shape]
            shake = priors.stream(seed, f"{name} noise").uniform(-noise, noise, (n - 1, *prior.shape))
            about = np.concatenate([np.zeros((1, *prior.shape)), shake])
            made[name] = prior.nearest(means[0] - means[1] + means[2] + about).astype(np.float32)  # [n, *shape]
        held = self.held(drawn, picked[0][0], label)
        return self.labelled(made, None if held is None else np.broadcast_to(held, n))

    def zeros(self, n: int) -> Feed:
        """`n` rows of zeros, images at the size of training."""
        rules = [(tensor, tensor.sizes or {}) for tensor in self.tensors.values()]
        trained = {axis: size["trained"] for _, sizes in rules for axis, size in sizes.items()}
        return {tensor.name: np.zeros((n, *row_shape(tensor, trained)), tensor.dtype) for tensor, _ in rules}

    def _class_id(self, name: str) -> int:
        assert self.label is not None
        if name not in self.label.classes:
            near = suggest(name, self.label.classes)
            raise ServeError(f"{self.model} has no class '{name}'.{near} Its classes: {', '.join(self.label.classes)}")
        return self.label.classes.index(name)


def _prior(tensor: Tensor) -> priors.Prior:
    try:
        return priors.make(tensor.prior or {}, shape=row_shape(tensor))
    except ValueError as error:
        raise ServeError(f"input '{tensor.name}': wrong prior: {error}") from error
