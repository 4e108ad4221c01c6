"""The words of a spec after a change: what a file says of itself may be untrue of a child or of `--set`.

A spec that extends another, and `zoo build --set`, inherit title, description, deviations and licence. What they do not
state anew is kept as far as it is still true.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from zoo.core.errors import DataError
from zoo.data.catalogue import DatasetInfo, describe, domain_titles
from zoo.spec.sections import FREE_KNOBS, FREE_SECTIONS
from zoo.spec.types import Part
from zoo.spec.yaml_tree import Entry, YamlNode

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_OF_DATA = r"epochs?|pixels?|photographs?|border|map"  # a deviation with one of these words depends on the data
_OF_LENGTH = r"updates?|steps|epochs?|hours?|minutes?"  # one with these depends on the length of the training
_COMMON = {"folder", "folders", "from", "images", "vendors", "with"}
_SILENT_KNOBS = {"seed", "picture_every_steps", "checkpoint_every_seconds", "evaluate", "xla"}  # no word is about them


def true_words(old: YamlNode, new: YamlNode, overrides: Sequence[str] = ()) -> YamlNode:
    """Drop or replace the inherited words that a change made untrue.

    With another data source the title ends in the name of the new data, the licence of the weights is gone, and so are
    sentences that speak of the former data; with other networks, games or latents all deviations are gone.

    Args:
        old: The tree before the change.
        new: The tree after it. Words that are the same nodes as in `old` are inherited.
        overrides: The changes such as "training.batch_size=32", for one deviation that lists them.

    Returns:
        `new` with words that are true of it; `new` itself where nothing has to change, or the data are wrong.
    """
    before, after = old.plain(), new.plain()
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return new
    was, now = _source(before), _source(after)
    changed = _changed(before, after)
    if was and now and _data_section(before) == _data_section(after):
        changed.discard("data")  # `mnist` is also written `{mnist: {}}`
    if "data" in changed and (was is None or now is None):
        return new  # wrong, or there were no data before
    words: dict[str, Any] = {}
    own, moved = _names(was, before), "data" in changed and _data(before) != _data(after)
    if moved and isinstance(title := _inherited(old, new, "title"), str):
        words["title"] = f"{_without_data(title, own)}, {data_words(*_data(after))}"
    if moved and isinstance(about := _inherited(old, new, "about"), str):
        words["about"] = " ".join(sentence for sentence in _SENTENCE_END.split(about) if not _speaks(sentence, own))
    deviations = _inherited(old, new, "deviations")
    if changed and isinstance(deviations, list):
        kept = [] if changed - {"data", "length"} else [one for one in deviations if isinstance(one, str)]
        if "data" in changed:
            kept = [one for one in kept if not _speaks(one, [*own, _OF_DATA])]
        if "length" in changed:
            kept = [one for one in kept if not _speaks(one, [_OF_LENGTH])]
        named = [one for one in overrides if re.split("[.=]", one)[0].strip() in changed - {"data"}]
        words["deviations"] = kept + (
            [f"Built with {', '.join(named)} instead of what its spec states."] if named else []
        )
    new = _with(new, words)
    return _without_licence(old, new) if moved else new


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Return the sections that words may be about and that differ; `length` for the length of the training."""
    changed = {
        key for key in before.keys() | after.keys() if key not in FREE_SECTIONS and before.get(key) != after.get(key)
    } - {"name"}
    knobs = [document.get("training") or {} for document in (before, after)]
    if all(isinstance(one, dict) for one in knobs):
        different = {key for key in knobs[0].keys() | knobs[1].keys() if knobs[0].get(key) != knobs[1].get(key)}
        changed |= {"length"} if different & {"steps", "budget"} else set()
        changed |= {"training"} if different - _SILENT_KNOBS - {*FREE_KNOBS} else set()
    return changed


def _inherited(old: YamlNode, new: YamlNode, key: str) -> Any:
    """Return the value of a section that the change did not state, else None."""
    node = new.get(key)
    return node.plain() if node is not None and node is old.get(key) else None


def _data(document: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    part = Part.of(document["data"]["source"])
    return part.name, part.args


def _data_section(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document["data"], "source": _data(document)}


def _source(document: Mapping[str, Any]) -> DatasetInfo | None:
    try:
        return describe(*_data(document))
    except (KeyError, TypeError, ValueError, AttributeError, DataError):
        return None


def _names(source: DatasetInfo | None, document: Mapping[str, Any]) -> list[str]:
    """Return patterns of the words by which a data set is called."""
    if source is None:
        return []
    titles = [source.title, source.name.replace("_", " "), *domain_titles(*_data(document)).values()]
    words = {word for title in titles for word in re.split(r"[\s,:()]+", title) if len(word) > 3}
    return [re.escape(word) for word in sorted(words - _COMMON)]


def _speaks(sentence: str, patterns: Sequence[str]) -> bool:
    return re.search(rf"(?<![\w-])(?:{'|'.join(patterns)})(?![\w-])", sentence, re.IGNORECASE) is not None


def _without_data(title: str, names: Sequence[str]) -> str:
    """Return a title without its end if that names the data: `, on MNIST`, ` on digits`, `, Noto Emoji to Twemoji`."""
    for separator in (",", " on "):
        head, found, tail = title.rpartition(separator)
        if found and _speaks(tail, names):
            return head
    return title


def data_words(source: str, args: Mapping[str, Any]) -> str:
    """Return how a title speaks of its data.

    Args:
        source: The name of the data source.
        args: Its arguments in the spec.

    Returns:
        Words such as "on Fashion-MNIST", or "Noto Emoji to Twemoji" for two domains.
    """
    names = domain_titles(source, args)
    if names:
        return f"{names['a']} to {names['b']}"
    title = describe(source, args).title
    is_name = not re.match(r"[A-Z][a-z]* [a-z]", title)  # Fashion-MNIST, Noto Emoji; but "Ring of Gaussians"
    return f"on {title if is_name else title[0].lower() + title[1:]}"


def _with(node: YamlNode, words: Mapping[str, Any]) -> YamlNode:
    if not words:
        return node
    entries = dict(node.value)
    for key, value in words.items():
        place = entries[key].node.place
        inner = [YamlNode(item, place) for item in value] if isinstance(value, list) else value
        entries[key] = Entry(YamlNode(inner, place), entries[key].place)
    return YamlNode(entries, node.place)


def _without_licence(old: YamlNode, new: YamlNode) -> YamlNode:
    """Return the tree without a licence of the weights that was chosen for other data."""
    licence, export = new.get("export", "licence"), new.get("export")
    if licence is None or licence is not old.get("export", "licence"):
        return new
    assert export is not None
    kept = YamlNode({key: entry for key, entry in export.entries() if key != "licence"}, export.place)
    return YamlNode({**new.value, "export": Entry(kept, new.value["export"].place)}, new.place)
