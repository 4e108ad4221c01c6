"""Inputs that a caller fixes: classes by id or name, codes by number, texts, each for all rows or for every row.

`sample(8, label="Coat")`, `sample(8, body="dome", slant=0.5)`, `sample(8, text="mint critter")`: a value becomes the
rows [n, ...] of its input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.artifact.tensor import Tensor
from zoo.core.arrays import Array
from zoo.core.errors import ServeError
from zoo.core.registry import suggest
from zoo.runtime.inputs import as_array, as_input, check_ids, row_shape
from zoo.runtime.texts import Texts


def rows_of(
    model: str, tensors: Mapping[str, Tensor], given: Mapping[str, Any], n: int, texts: Texts
) -> dict[str, Array]:
    """Return the rows of all inputs that are fixed.

    Args:
        model: The name of the model, for messages.
        tensors: Its inputs by name.
        given: A value by the name of an input; None is drawn. `label` also stands for the only input with classes.
        n: The number of rows.
        texts: What reads the texts of the model.

    Returns:
        Rows [n, ...] in the type of the input, for each that is given.

    Raises:
        ServeError: There is no such input, it is given twice, or the value does not fit it.
    """
    named = dict[str, Any]()
    for name, value in given.items():
        if value is None:
            continue
        if (meant := _name(model, tensors, name)) in named:
            raise ServeError(f"{meant} is given twice: label stands for it, as for the only input with classes")
        named[meant] = value
    return {
        name: as_input(_ids(model, tensors[name], value, n), tensors[name])
        if tensors[name].classes
        else _words(tensors[name], value, n, texts)
        if tensors[name].text
        else _code(tensors[name], value, n)
        for name, value in named.items()
    }


def _name(model: str, tensors: Mapping[str, Tensor], name: str) -> str:
    """Return the name of the input that is meant."""
    if name in tensors:
        return name
    labels = [tensor.name for tensor in tensors.values() if tensor.classes]
    if name != "label":
        raise ServeError(f"{model} has no input '{name}'.{suggest(name, tensors)} Its inputs: {', '.join(tensors)}")
    if not labels:
        raise ServeError(f"{model} takes no label: it is not conditional")
    if len(labels) > 1:
        raise ServeError(f"{model} has no single label: name one of {', '.join(f'{one}=' for one in labels)}")
    return labels[0]


def _ids(model: str, tensor: Tensor, value: Any, n: int) -> Array:
    """Return class ids [n] for one class or `n` of them, ids or names."""
    ids = as_array(tensor.name, value)
    if ids.dtype.kind == "U":
        ids = np.array([_class_id(model, tensor, str(name)) for name in ids.flat], np.int64).reshape(ids.shape)
    if ids.shape not in ((), (n,)):
        raise ServeError(f"{tensor.name} must be one class or {n} of them, received shape {list(ids.shape)}")
    return np.broadcast_to(check_ids(tensor, ids), n)


def _class_id(model: str, tensor: Tensor, name: str) -> int:
    if name not in tensor.classes:
        near, what = suggest(name, tensor.classes), "class" if tensor.name == "label" else tensor.name
        raise ServeError(f"{model} has no {what} '{name}'.{near} Its classes: {', '.join(tensor.classes)}")
    return tensor.classes.index(name)


def _words(tensor: Tensor, value: Any, n: int, texts: Texts) -> Array:
    """Return ids of words [n, longest] for one text or `n` of them, or for ids [longest] or [n, longest]."""
    several = isinstance(value, list | tuple) and bool(value) and all(isinstance(one, str | bytes) for one in value)
    if isinstance(value, str | bytes) or several:
        written = [value] if isinstance(value, str | bytes) else value
        if several and len(written) != n:
            raise ServeError(f"{tensor.name} must be one text or {n} of them, received {len(written)}")
        return np.broadcast_to(texts.rows(tensor, written), (n, *row_shape(tensor)))
    ids, shape = as_array(tensor.name, value), row_shape(tensor)
    if ids.dtype.kind not in "iu" or ids.shape not in (shape, (n, *shape)):
        rule = f"a text, {n} texts, or ids of words {list(shape)} or {[n, *shape]}"
        raise ServeError(f"{tensor.name} must be {rule}, received {ids.dtype} {list(ids.shape)}")
    return np.broadcast_to(check_ids(tensor, ids), (n, *shape)).astype(tensor.dtype)


def _code(tensor: Tensor, value: Any, n: int) -> Array:
    """Return float32 [n, *shape] for a number, one row or `n` of them; of a single number also `n` numbers [n]."""
    numbers, shape = as_array(tensor.name, value), row_shape(tensor)
    fits = {(), shape, (n, *shape)} | ({(n,)} if shape == (1,) else set())
    if numbers.dtype.kind not in "iuf" or numbers.shape not in fits:
        rule = f"a number, or float32 {list(shape)} or {[n, *shape]}"
        raise ServeError(f"{tensor.name} must be {rule}, received {numbers.dtype} {list(numbers.shape)}")
    if not np.isfinite(numbers).all():
        raise ServeError(f"{tensor.name}: every number must be finite, received NaN or infinity")
    low, high = ((tensor.given or {}).get(key) for key in ("low", "high"))
    if low is not None and high is not None and (numbers.min() < low or numbers.max() > high):
        wrong = numbers.min() if numbers.min() < low else numbers.max()
        raise ServeError(f"{tensor.name} must lie in [{low:g}, {high:g}], received {wrong:g}")
    if shape == (1,) and numbers.shape == (n,):
        numbers = numbers[:, None]  # [n, 1]
    return np.broadcast_to(numbers, (n, *shape)).astype(np.float32)
