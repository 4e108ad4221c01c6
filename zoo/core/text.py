"""Words of a text as numbers, by one rule for training, the runtime, the server and its page. Standard library only.

    Vocabulary(("critter", "mint")).read("Mint critter, wings!", 4)      # ids (2, 1, 0, 0), unknown ("wings",)

The rule, `words-1`: Unicode's NFKC; then each code point in lower case by itself, which no language and no neighbour
changes; the longest runs of letters, marks and numbers (categories L, M and N) are the words. A word's id is its line
in the vocabulary, counted from 1; 0 fills up. Words that the vocabulary lacks are skipped, those beyond the longest
caption are cut: `Reading` has both. zoo/serve/page/text.js is the same rule in JavaScript.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from zoo.core.errors import ServeError
from zoo.core.registry import suggest

RULE = "words-1"
RULE_IN_WORDS = (
    "NFKC; each code point in lower case by itself; words are the longest runs of letters, marks and numbers (Unicode "
    "categories L, M, N); the id of a word is its line in the vocabulary, counted from 1; unknown words are skipped; "
    "what is beyond the longest caption is cut; zeros fill up at the end"
)
MOST_CHARACTERS = 20_000  # of one text
_WORD = "LMN"  # first letters of Unicode's categories
_SHOWN = 8  # words in a message


@dataclass(frozen=True)
class Reading:
    """The reading of one text: its ids, and the words that were left out.

    Attributes:
        ids: The ids of the words that were read, filled up with zeros to the longest caption.
        words: These words.
        unknown: The words that the vocabulary lacks, each once, in their order.
        cut: The words beyond the longest caption.
    """

    ids: tuple[int, ...]
    words: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()

    @property
    def complaint(self) -> str:
        """The words that were left out, as a sentence; an empty string where everything was read."""
        unknown = f"skipped unknown words: {shown(self.unknown)}" if self.unknown else ""
        cut = f"cut after {len(self.ids)} words: {shown(self.cut)}" if self.cut else ""
        return "; ".join(filter(None, (unknown, cut)))


def shown(words: Sequence[str]) -> str:
    """Return words as a short list for a message.

    Args:
        words: Any number of words of any length.

    Returns:
        The first eight, each of at most 30 characters, and how many more there are.
    """
    first = ", ".join(word if len(word) <= 30 else f"{word[:29]}\u2026" for word in words[:_SHOWN])
    return first if len(words) <= _SHOWN else f"{first} and {len(words) - _SHOWN:,} more"


def split(text: str) -> list[str]:
    """Return the words of a text in lower case.

    Args:
        text: Any text.

    Returns:
        The words in their order, repeated ones too.
    """
    lower = "".join(letter.lower() for letter in unicodedata.normalize("NFKC", text))
    spaced = "".join(letter if unicodedata.category(letter)[0] in _WORD else " " for letter in lower)
    return [word for word in spaced.split(" ") if word]


@dataclass(frozen=True)
class Vocabulary:
    """The words that a network knows, in the order of their ids, which begin at 1.

    Raises:
        ServeError: There is none, one is there twice, or is not a word of the rule.
    """

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.words or len(self.index) < len(self.words):
            raise ServeError("a vocabulary has one or more words, each once, a word a line")
        for word in self.words:
            if split(word) != [word]:
                raise ServeError(f"a vocabulary has a word in lower case in each line, received {word[:40]!r}")

    @cached_property
    def index(self) -> Mapping[str, int]:
        """The ids by word."""
        return {word: number for number, word in enumerate(self.words, start=1)}

    @classmethod
    def of(cls, texts: Iterable[str]) -> Vocabulary:
        """Return the vocabulary of texts: all their words, sorted by code points."""
        return cls(tuple(sorted({word for text in texts for word in split(text)})))

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str, sha256: str | None = None) -> Vocabulary:
        """Read a vocabulary file.

        Args:
            data: The bytes of the file.
            source: Its name, with which error messages begin.
            sha256: The hash that it must have, in hexadecimal.

        Returns:
            The vocabulary.

        Raises:
            ServeError: Another hash, or not a vocabulary.
        """
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise ServeError(f"{source}: changed or damaged: its SHA-256 is not the one in the manifest")
        try:
            return cls(tuple(data.decode("utf-8").removesuffix("\n").split("\n")))
        except UnicodeDecodeError as error:
            raise ServeError(f"{source}: byte {error.start} is not UTF-8") from error
        except ServeError as error:
            raise ServeError(f"{source}: {error}") from error

    def to_bytes(self) -> bytes:
        """Return the bytes of its file: UTF-8, a word a line."""
        return "".join(f"{word}\n" for word in self.words).encode()

    @property
    def sha256(self) -> str:
        """The hash of its file, in hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def read(self, text: str | bytes, longest: int) -> Reading:
        """Read a text.

        Args:
            text: A text, or its bytes in UTF-8.
            longest: Words of the longest caption.

        Returns:
            The ids [longest], and what was left out.

        Raises:
            ServeError: It is not a text, not UTF-8, empty or too long, or none of its words is known.
        """
        text = _decoded(text)
        words = split(text)
        if not words:
            raise ServeError(f"text has no word in it, received {text[:40]!r}: write one such as '{self.words[0]}'")
        known = [word for word in words if word in self.index]
        unknown = tuple(dict.fromkeys(word for word in words if word not in self.index))
        if not known:
            near = suggest(unknown[0][:64], self.words) or f" It has words such as {shown(self.words[:4])}."
            raise ServeError(f"text: none of its words is in the vocabulary: {shown(unknown)}.{near}")
        read, cut = known[:longest], tuple(known[longest:])
        ids = [self.index[word] for word in read]
        return Reading((*ids, *[0] * (longest - len(ids))), tuple(read), unknown, cut)


def _decoded(text: str | bytes) -> str:
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ServeError(f"text: byte {error.start} of {len(text)} is not UTF-8") from error
    if not isinstance(text, str):
        raise ServeError(f"text must be words such as 'mint critter', received {text!r}")
    if len(text) > MOST_CHARACTERS:
        raise ServeError(f"text may have at most {MOST_CHARACTERS:,} characters, received {len(text):,}")
    return text
