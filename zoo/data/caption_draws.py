"""Captions as a training draws them: ids of words, of all lengths, true ones and wrong ones; a function of random bits.

A training sees captions of all lengths: of an example's phrases, in random order, the first k, where every k from
`fewest` on is equally likely. Beside it stand the whole caption, and one that is wrong: phrases of another example, at
least one of which has a word that is not true of this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zoo.core.text import split
from zoo.data.captions import Captions
from zoo.data.catalogue import FULL_TEXT, SUBJECT, TEXT, WRONG_TEXT

EXAMPLES = 32  # captions that a manifest states


@dataclass(frozen=True)
class CaptionDraws:
    """Draws of captions.

    Args:
        captions: How they are made of labels.
    """

    captions: Captions

    @property
    def bits(self) -> int:
        """How many random numbers `draw` takes for each example."""
        return 2 * len(self.captions.phrases) + 3

    def examples(self, count: int = EXAMPLES) -> tuple[str, ...]:
        """Return captions of classes that are drawn evenly, with from three to all phrases; always the same.

        Args:
            count: How many.
        """
        random, texts = np.random.RandomState(0), []
        for _ in range(count):
            chosen = {name: phrases[random.randint(len(phrases))] for name, phrases in self.captions.phrases.items()}
            told = [name for name in self.captions.phrases if chosen[name]]
            number = random.randint(min(3, len(told)), len(told) + 1)
            kept = {told[i] for i in random.permutation(len(told))[:number]} | {SUBJECT}
            texts.append(self.captions.joined({name: phrase for name, phrase in chosen.items() if name in kept}))
        return tuple(texts)

    def draw(self, labels: Mapping[str, np.ndarray], indices: np.ndarray, bits: np.ndarray) -> dict[str, np.ndarray]:
        """Draw captions for examples.

        Args:
            labels: The class ids of all examples by label, int64 [N].
            indices: The examples, int64 [M].
            bits: uint64 [M, `bits`], random.

        Returns:
            `text`, `full_text` and `wrong_text`: int32 [M, longest], ids of words, then zeros.
        """
        count, phrases = len(next(iter(labels.values()))), len(self.captions.phrases)
        keys, other_keys = bits[:, :phrases], bits[:, phrases : 2 * phrases]
        true = self._ids(labels, indices)  # [M, phrases, words]
        present = true[:, :, 0] > 0
        kept = _first(keys, present, self._number(present, bits[:, -3]))
        known = np.zeros((len(indices), len(self.captions.vocabulary.words) + 1), bool)
        np.put_along_axis(known, true.reshape(len(true), -1), True, axis=1)
        known[:, 0] = True  # the padding is never wrong
        others = (indices + 1 + (bits[:, -1] % np.uint64(max(1, count - 1))).astype(np.int64)) % count
        for _ in range(count):
            false = self._ids(labels, others)
            true_words = np.take_along_axis(known, false.reshape(len(false), -1), axis=1).reshape(false.shape)
            wrong = np.logical_not(true_words).any(axis=2)  # [M, phrases]
            same = ~np.any(wrong, axis=1)  # another example of which nothing is wrong here: take the next one
            if not same.any():
                break
            others[same] = (others[same] + 1) % count
        there = false[:, :, 0] > 0
        told = _first(other_keys, there, self._number(there, bits[:, -2]), wrong)
        return {
            TEXT: self._compact(true, keys, kept),
            FULL_TEXT: self._compact(true, np.broadcast_to(np.arange(phrases), keys.shape), present),
            WRONG_TEXT: self._compact(false, other_keys, told),
        }

    def drawn(self, random: np.random.RandomState, count: int) -> np.ndarray:
        """Draw captions of classes that are drawn evenly, as a training has them.

        Args:
            random: Where the numbers come from.
            count: How many.

        Returns:
            int32 [count, longest].
        """
        labels = self.captions.info.label_fields
        ids = {name: random.randint(len(labels[name]), size=count) for name in self.captions.phrases if name != SUBJECT}
        bits = random.randint(0, 2**64, size=(count, self.bits), dtype=np.uint64)
        return self.draw(ids, np.arange(count), bits)[TEXT]

    @cached_property
    def _table(self) -> dict[str, np.ndarray]:
        """The ids of the words of each phrase, int32 [classes, words of the longest], then zeros."""
        index = self.captions.vocabulary.index
        split_up = {name: [split(phrase) for phrase in phrases] for name, phrases in self.captions.phrases.items()}
        width = max(len(words) for phrases in split_up.values() for words in phrases)
        return {
            name: np.array(
                [[index[word] for word in words] + [0] * (width - len(words)) for words in phrases], np.int32
            )
            for name, phrases in split_up.items()
        }

    def _ids(self, labels: Mapping[str, np.ndarray], indices: np.ndarray) -> np.ndarray:
        """Return the ids of all phrases of examples, int32 [M, phrases, words]."""
        rows = [
            table[np.zeros(len(indices), np.int64) if name == SUBJECT else labels[name][indices]]
            for name, table in self._table.items()
        ]
        return np.stack(rows, axis=1)

    def _number(self, present: np.ndarray, bits: np.ndarray) -> np.ndarray:
        """Return how many phrases each caption has, [M]: from `fewest` to all that there are."""
        most = present.sum(axis=1)
        fewest = np.minimum(self.captions.fewest, most)
        return fewest + (bits % (most - fewest + 1).astype(np.uint64)).astype(np.int64)

    def _compact(self, ids: np.ndarray, keys: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Return the words of the phrases that are kept, in the order of their keys, int32 [M, longest]."""
        order = np.argsort(keys, axis=1, kind="stable")[:, :, None]
        ids = np.take_along_axis(np.where(kept[:, :, None], ids, 0), order, axis=1).reshape(len(ids), -1)
        front = np.take_along_axis(ids, np.argsort(ids == 0, axis=1, kind="stable"), axis=1)[:, : self.captions.longest]
        return np.pad(front, ((0, 0), (0, self.captions.longest - front.shape[1]))).astype(np.int32)


def _first(keys: np.ndarray, present: np.ndarray, number: np.ndarray, forced: np.ndarray | None = None) -> np.ndarray:
    """Return which phrases are kept, bool [M, phrases]: of those that are present the `number` with the lowest keys;
    of the `forced` ones the lowest goes before all."""
    ranks = np.argsort(np.argsort(keys, axis=1, kind="stable"), axis=1, kind="stable").astype(np.int64)
    ranks = np.where(present, ranks, ranks + keys.shape[1])
    if forced is not None:
        first = np.where(forced, ranks, 4 * keys.shape[1]).argmin(axis=1)
        ranks[np.arange(len(ranks)), first] = -1
    return present & (np.argsort(np.argsort(ranks, axis=1), axis=1) < number[:, None])
