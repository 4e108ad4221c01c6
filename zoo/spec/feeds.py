"""The arrays that a spec names: real examples as its data section prepares them, latents, and class ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from zoo.data import sources
from zoo.data.caption_draws import CaptionDraws
from zoo.data.catalogue import TEXT
from zoo.data.dataset import Dataset, Domains
from zoo.runtime import priors
from zoo.spec.game_leaving import given_inputs
from zoo.spec.read import Spec
from zoo.spec.types import Part, construct_part


def load_data(spec: Spec, *, split: Any = None) -> Dataset | Domains:
    """Load the real examples of a spec.

    Args:
        spec: A spec with a data section.
        split: A split of the source, such as "test"; None loads the images for training, at the size of `jitter_from`
            where the spec states it.

    Returns:
        One data set, or two for a source of two domains; images uint8 [count, height, width, channels].

    Raises:
        DataError: The data cannot be fetched or read, or are fewer than `data.limit`.
    """
    section = spec.sections.data
    assert section is not None
    loaded = sources.load_dataset(
        section.source.name,
        section.source.args,
        size=section.size if split else section.jitter_from or section.size,
        channels=section.channels,
        fit=section.fit,
        split=split,
    )
    if section.limit and split in (None, "train"):
        loaded = loaded.limited(section.limit)
    return replace(loaded, captions=spec.captions) if isinstance(loaded, Dataset) and spec.captions else loaded


def prior_of(part: Part) -> priors.Prior:
    """Construct the prior of a latent.

    Args:
        part: A value of the spec's `latent` section, such as `normal` with its shape.

    Returns:
        The prior, which draws latents.
    """
    return construct_part(priors.PRIORS, part)


def draw_inputs(spec: Spec, count: int, *, seed: int) -> dict[str, np.ndarray]:
    """Draw inputs for the generator of a spec.

    Args:
        spec: The spec.
        count: The number of examples.
        seed: The same seed draws the same latents.

    Returns:
        Each latent by name, float32 [count, ...], or int64 [count] where it is categorical; and each label of the data,
        int64 [count]: 0, 1, ... in turn. An `input` of the game has its default, float32 [count, 1]; `text` has
        captions, int32 [count, longest].
    """
    latents = spec.sections.latent.items()
    drawn = {name: prior_of(part).draw(priors.stream(seed, name), count) for name, part in latents}
    fields = {name: np.arange(count) % len(spec.labels[name]) for name, shape in spec.fields.items() if shape == ()}
    given = {name: given_rows(args, count) for name, args in given_inputs(spec.game).items()}
    return {**drawn, **fields, **given, **written_texts(spec, count)}


def written_texts(spec: Spec, count: int) -> dict[str, np.ndarray]:
    """Return captions of drawn classes, the same for the same spec.

    Args:
        spec: The spec.
        count: The number of rows.

    Returns:
        `text`, int32 [count, longest]; nothing for data without captions.
    """
    if (captions := spec.captions) is None:
        return {}
    read = [captions.vocabulary.read(text, captions.longest).ids for text in CaptionDraws(captions).examples(count)]
    return {TEXT: np.array(read, "int32")}


def given_rows(arguments: Mapping[str, Any], count: int) -> np.ndarray:
    """Return the default of a number that a user of what leaves may give.

    Args:
        arguments: Those of its `input`.
        count: The number of rows.

    Returns:
        float32 [count, 1].
    """
    return np.full((count, 1), arguments["default"], "float32")
