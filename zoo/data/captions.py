"""Captions of data whose labels are known: made of the classes' names, by phrases that datasets.json states.

    mint dome critter, horns small, three row eyes, smile, on purple

The subject and the phrases before it are joined by blanks, the others by commas; a class "none" has no phrase. What is
drawn of them for a training stands in `caption_draws`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from zoo.core.text import Vocabulary, split
from zoo.data.catalogue import DATASETS, SUBJECT, DatasetInfo

NONE = "none"  # the name of a class that a caption passes over


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
        return Vocabulary.of(word for phrases in self.phrases.values() for word in phrases)

    @property
    def longest_possible(self) -> int:
        """Words of the longest caption that the phrases make."""
        return sum(max(len(split(phrase)) for phrase in phrases) for phrases in self.phrases.values())

    def describe(self, classes: Mapping[str, str]) -> str:
        """Return the whole caption of an example.

        Args:
            classes: The name of its class for every label of the caption.
        """
        labels = self.info.label_fields
        chosen = {
            name: phrases[0] if name == SUBJECT else phrases[labels[name].index(classes[name])]
            for name, phrases in self.phrases.items()
        }
        return self.joined({name: phrase for name, phrase in chosen.items() if phrase})

    @cached_property
    def phrases(self) -> dict[str, tuple[str, ...]]:
        """The phrases of every class by label; the subject has a single one."""
        labels, found = self.info.label_fields, {}
        for name, form in self.info.captions.items():
            classes = ("",) if name == SUBJECT else labels[name]
            found[name] = tuple("" if one == NONE else form.replace("{}", one) for one in classes)
        return found

    def joined(self, phrases: Mapping[str, str]) -> str:
        """Return a caption.

        Args:
            phrases: Some phrases by label.

        Returns:
            The phrases in the order of the source: blanks up to the subject, then commas.
        """
        order = [*self.info.captions]
        head = [phrases[name] for name in order[: order.index(SUBJECT) + 1] if name in phrases]
        return ", ".join([" ".join(head), *(phrases[n] for n in order[order.index(SUBJECT) + 1 :] if n in phrases)])
