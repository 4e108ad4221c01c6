"""Captions of data whose labels are known: made of the classes' names, by phrases that datasets.json states.

    mint dome critter, horns small, three row eyes, smile, on purple

The subject and the labels `before` it are joined by blanks, the other phrases by commas; a class "none" has no phrase.
A training sees captions of all lengths: of an example's phrases, in random order, the first k, where every k from
`fewest` on is equally likely. Beside it stand the whole caption, and one that is wrong: phrases of another example, at
least one of which has a word that is not true of this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zoo.core.text import Vocabulary, split
from zoo.data.catalogue import DATASETS, FULL_TEXT, SUBJECT, TEXT, WRONG_TEXT, DatasetInfo

NONE = "none"  # the name of a class that a caption passes over
EXAMPLES = 32  # captions that a manifest states


@dataclass(frozen=True)
class Captions:
    """Captions of one source.

    Args:
        source: Its name; its facts have `captions`.
        longest: Words of a caption; what is beyond is cut.
        fewest: Phrases of the shortest caption of a training.
    """

    source: str
    longest: int
    fewest: int = 1

    @property
    def info(self) -> DatasetInfo:
        """The facts of the source."""
        return DATASETS[self.source]

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """All words of all phrases, sorted."""
        return Vocabulary.of(word for phrases in self._phrases.values() for word in phrases)

    @property
    def longest_possible(self) -> int:
        """Words of the longest caption that the phrases make."""
        return sum(max(len(split(phrase)) for phrase in phrases) for phrases in self._phrases.values())

    @property
    def bits(self) -> int:
        """How many random numbers `draw` takes for each example."""
        return 2 * len(self._phrases) + 3

    def examples(self, count: int = EXAMPLES) -> tuple[str, ...]:
        """Return captions of classes that are drawn evenly, with from three to all phrases; always the same.

        Args:
            count: How many.
        """
        random, texts = np.random.RandomState(0), []
        for _ in range(count):
            chosen = {name: phrases[random.randint(len(phrases))] for name, phrases in self._phrases.items()}
            told = [name for name in self._phrases if chosen[name]]
            number = random.randint(min(3, len(told)), len(told) + 1)
            kept = {told[i] for i in random.permutation(len(told))[:number]} | {SUBJECT}
            texts.append(self._joined({name: phrase for name, phrase in chosen.items() if name in kept}))
        return tuple(texts)

    def describe(self, classes: Mapping[str, str]) -> str:
        """Return the whole caption of an example.

        Args:
            classes: The name of its class for every label of the caption.
        """
        labels = self.info.label_fields
        chosen = {
            name: phrases[0] if name == SUBJECT else phrases[labels[name].index(classes[name])]
            for name, phrases in self._phrases.items()
        }
        return self._joined({name: phrase for name, phrase in chosen.items() if phrase})

    def draw(self, labels: Mapping[str, np.ndarray], indices: np.ndarray, bits: np.ndarray) -> dict[str, np.ndarray]:
        """Draw captions for examples.

        Args:
            labels: The class ids of all examples by label, int64 [N].
            indices: The examples, int64 [M].
            bits: uint64 [M, `bits`], random.

        Returns:
            `text`, `full_text` and `wrong_text`: int32 [M, longest], ids of words, then zeros.
        """
        count, phrases = len(next(iter(labels.values()))), len(self._phrases)
        keys, other_keys = bits[:, :phrases], bits[:, phrases : 2 * phrases]
        true = self._ids(labels, indices)  # [M, phrases, words]
        present = true[:, :, 0] > 0
        kept = _first(keys, present, self._number(present, bits[:, -3]))
        known = np.zeros((len(indices), len(self.vocabulary.words) + 1), bool)
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
        labels = self.info.label_fields
        ids = {name: random.randint(len(labels[name]), size=count) for name in self._phrases if name != SUBJECT}
        bits = random.randint(0, 2**64, size=(count, self.bits), dtype=np.uint64)
        return self.draw(ids, np.arange(count), bits)[TEXT]

    @cached_property
    def _phrases(self) -> dict[str, tuple[str, ...]]:
        """The phrases of every class by label; the subject has a single one."""
        labels, found = self.info.label_fields, {}
        for name, form in self.info.captions.items():
            classes = ("",) if name == SUBJECT else labels[name]
            found[name] = tuple("" if one == NONE else form.replace("{}", one) for one in classes)
        return found

    @cached_property
    def _table(self) -> dict[str, np.ndarray]:
        """The ids of the words of each phrase, int32 [classes, words of the longest], then zeros."""
        index = self.vocabulary.index
        split_up = {name: [split(phrase) for phrase in phrases] for name, phrases in self._phrases.items()}
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
        fewest = np.minimum(self.fewest, most)
        return fewest + (bits % (most - fewest + 1).astype(np.uint64)).astype(np.int64)

    def _compact(self, ids: np.ndarray, keys: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Return the words of the phrases that are kept, in the order of their keys, int32 [M, longest]."""
        order = np.argsort(keys, axis=1, kind="stable")[:, :, None]
        ids = np.take_along_axis(np.where(kept[:, :, None], ids, 0), order, axis=1).reshape(len(ids), -1)
        front = np.take_along_axis(ids, np.argsort(ids == 0, axis=1, kind="stable"), axis=1)[:, : self.longest]
        return np.pad(front, ((0, 0), (0, self.longest - front.shape[1]))).astype(np.int32)

    def _joined(self, phrases: Mapping[str, str]) -> str:
        """Return a caption of phrases in the order of the source: blanks up to the subject, then commas."""
        order = [*self.info.captions]
        head = [phrases[name] for name in order[: order.index(SUBJECT) + 1] if name in phrases]
        return ", ".join([" ".join(head), *(phrases[n] for n in order[order.index(SUBJECT) + 1 :] if n in phrases)])


def _first(keys: np.ndarray, present: np.ndarray, number: np.ndarray, forced: np.ndarray | None = None) -> np.ndarray:
    """Return which phrases are kept, bool [M, phrases]: of those that are present the `number` with the lowest keys;
    of the `forced` ones the lowest goes before all."""
    ranks = np.argsort(np.argsort(keys, axis=1, kind="stable"), axis=1, kind="stable").astype(np.int64)
    ranks = np.where(present, ranks, ranks + keys.shape[1])
    if forced is not None:
        first = np.where(forced, ranks, 4 * keys.shape[1]).argmin(axis=1)
        ranks[np.arange(len(ranks)), first] = -1
    return present & (np.argsort(np.argsort(ranks, axis=1), axis=1) < number[:, None])
