"""The version of the operators of a graph: the lowest that it needs, or another one that an engine asks for.

The way leads from version to version. An operator that the next version defines in the same form computes the same
there: it stays as it is. One with another form is written in it by a rule of ours (`opset_rules`) or by onnx's own
converter of versions, node by node, so that whatever has no form is known by its name. Weights and outputs stay as they
are; the callers check that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper

from zoo.core.errors import ServeError, UsageError
from zoo.export.opset_rules import RULES, RULES_UPWARDS, Form, Known, counted_from_the_front
from zoo.export.rewrites import attributes_of
from zoo.runtime.session import open_session

LOWEST_OPSET, HIGHEST_RELABELLED = 13, 17  # of what an export chooses by itself
OLDEST_OPSET = 7  # that ONNX Runtime reads
# The definition that gave the same attributes another meaning, or a new one whose default is not what was done before.
MEANT_OTHERWISE = {"RoiAlign": 16, "Softmax": 13, "LogSoftmax": 13, "Hardmax": 13, "GroupNormalization": 21}
# What onnx's converter only relabels, or with defaults that are not what was done before.
NOT_BY_CONVERTER = {("Resize", 10, 11)}
SPLIT_STATES_PARTS = 18  # from here on a Split without sizes states the number of its parts
AXES_FROM_THE_BACK = 11  # the first version in which axes may be negative
CONVERTER_ERRORS = (
    onnx.version_converter.ConvertError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError,
    RuntimeError, ValueError,
)  # fmt: skip


def stated_opset(model: ModelProto) -> int:
    """Return the version of ONNX's own operators that a graph states."""
    return next(int(entry.version) for entry in model.opset_import if not entry.domain)


def lower_opset(model: ModelProto) -> list[str]:
    """Relabel a graph in place with the lowest opset, from 13, that defines every node in the form it has.

    Args:
        model: A valid graph without operators of other domains.

    Returns:
        What was changed, in words; an empty list if the opset is the lowest already, or later than 17.
    """
    before = stated_opset(model)
    if before > HIGHEST_RELABELLED:
        return []
    changes = [_Change(before, opset, _types(model), {}) for opset in range(LOWEST_OPSET, before)]
    fits = (one.opset for one in changes if all(_same_form(node, one) for node in model.graph.node))
    if (lowest := next(fits, before)) == before:
        return []
    _state(model, lowest)
    return [f"opset {before} to {lowest}"]


def change_opset(model: ModelProto, opset: int, *, source: str) -> list[str]:
    """Write a graph in place with the operators of another version.

    Args:
        model: A valid graph without operators of other domains.
        opset: The version.
        source: The name of its file; it opens the message of errors.

    Returns:
        What was changed, in words; an empty list if the graph is of that version already.

    Raises:
        UsageError: An operator has no form there, or ONNX Runtime does not read it; the message has the versions that
            this graph can have.
    """
    before, kinds = stated_opset(model), {node.op_type for node in model.graph.node}
    if opset == before:
        return []
    if not OLDEST_OPSET <= opset <= newest_opset():
        why = f"the ONNX Runtime here reads opsets {OLDEST_OPSET} to {newest_opset()}"
        raise UsageError(f"{source}: opset {opset}: {why}; this graph can have {_possible(model)}")
    way = _walk(model, opset)
    if way.missing:
        names = {node.op_type: node.name for node in reversed(way.missing)}
        which = ", ".join(f"{kind} (node '{names[kind]}')" for kind in sorted(names))
        why = f"{which} has no form in opset {way.blocked} that computes the same"
        raise UsageError(f"{source}: opset {opset}: {why}; this graph can have {_possible(model)}")
    model.CopyFrom(way.model)
    others = ", ".join(sorted(way.rewritten & kinds))
    return [f"opset {before} to {opset}" + (f" ({others} rewritten)" if others else "")]


@cache
def newest_opset() -> int:
    """Return the latest opset that both onnx and the ONNX Runtime here know."""
    for opset in range(onnx.defs.onnx_opset_version(), LOWEST_OPSET, -1):
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
        graph = helper.make_graph([helper.make_node("Abs", ["x"], ["y"])], "one", [x], [y])
        try:
            open_session(_model(graph, opset).SerializeToString(), source="one")
        except ServeError:
            continue
        return opset
    return LOWEST_OPSET


def ir_version(opset: int) -> int:
    """Return the version of the file format for an opset: its own, and from 4, where weights need not be inputs."""
    return max(4, helper.find_min_ir_version_for([helper.make_opsetid("", opset)]))


@dataclass(frozen=True)
class _Way:
    """How far a graph gets: its form there, the kinds that got another one, and what has none in version `blocked`."""

    model: ModelProto
    rewritten: set[str] = field(default_factory=set)
    missing: list[NodeProto] = field(default_factory=list)
    blocked: int = 0


def _walk(model: ModelProto, opset: int) -> _Way:
    way, before = _Way(ModelProto.FromString(model.SerializeToString())), stated_opset(model)
    step = 1 if opset > before else -1
    for version in range(before + step, opset + step, step):
        missing = _step(way, version)
        if missing:
            return replace(way, missing=missing, blocked=version)
    return way


def _possible(model: ModelProto) -> str:
    ends = [stated_opset(_walk(model, end).model) for end in (OLDEST_OPSET, newest_opset())]
    return f"opset {ends[0]} to {ends[1]}"


def _step(way: _Way, version: int) -> list[NodeProto]:
    """Bring a graph into the next version, or return the nodes that have no form there."""
    graph = way.model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    change = _Change(stated_opset(way.model), version, _types(way.model), weights)
    nodes, constants, missing, rewritten = list[NodeProto](), list[TensorProto](), list[NodeProto](), set[str]()
    start = _new_start(f"opset_{version}_", way.model)
    for number, node in enumerate(graph.node):
        form = _form(node, change, f"{start}{number}")
        if form is None:
            missing.append(node)
            continue
        rewritten |= set() if form[0][0] is node else {node.op_type}
        nodes += form[0]
        constants += form[1]
    if not missing:
        nodes = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(nodes)
        graph.initializer.extend(constants)
        way.rewritten.update(rewritten)
        _state(way.model, version)
    return missing


def _new_start(start: str, model: ModelProto) -> str:
    """A start of names that no tensor and node has: a graph may have been in this version before."""
    nodes = ((node.name, *node.input, *node.output) for node in model.graph.node)
    taken = {*(tensor.name for tensor in model.graph.initializer), *(name for names in nodes for name in names)}
    while any(name.startswith(start) for name in taken):
        start += "again_"
    return start


def _form(node: NodeProto, change: _Change, prefix: str) -> Form | None:
    """The node in the other version, or None."""
    if change.leaves(AXES_FROM_THE_BACK):
        found = counted_from_the_front(node, change.known)
        if found is None:
            return None
        node = found
    if _same_form(node, change):
        return [node], []
    return _by_rule(node, change, prefix) or _by_converter(node, change, prefix)


def _state(model: ModelProto, opset: int) -> None:
    next(entry for entry in model.opset_import if not entry.domain).version = opset


@dataclass(frozen=True)
class _Change:
    """From one opset to another; `types` of all tensors, `weights` by name."""

    stated: int
    opset: int
    types: Mapping[str, onnx.ValueInfoProto]
    weights: Mapping[str, TensorProto]

    def crosses(self, node: NodeProto) -> bool:
        """True if an operator of this kind means something else on the other side."""
        return min(self.stated, self.opset) < MEANT_OTHERWISE.get(node.op_type, 0) <= max(self.stated, self.opset)

    def leaves(self, version: int) -> bool:
        """True if the way leads down from a version or a later one to an earlier one."""
        return self.opset < version <= self.stated

    @cached_property
    def known(self) -> Known:
        """The weights and ranks of the graph, for rules."""
        return Known(self.weights, {name: len(value.type.tensor_type.shape.dim) for name, value in self.types.items()})


def _types(model: ModelProto) -> dict[str, onnx.ValueInfoProto]:
    """The types of all tensors that can be inferred."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    known = {value.name: value for value in (*graph.value_info, *graph.input, *graph.output)}
    weights = {t.name: helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in model.graph.initializer}
    return known | weights


def _schema(kind: str, opset: int) -> onnx.defs.OpSchema | None:
    try:
        schema = onnx.defs.get_schema(kind, opset)
    except onnx.defs.SchemaError:
        return None
    return None if schema.deprecated else schema


def _same_form(node: NodeProto, change: _Change) -> bool:
    """True if a node computes the same in the other opset as it stands."""
    old, new = _schema(node.op_type, change.stated), _schema(node.op_type, change.opset)
    if old is None or new is None or node.domain:
        return False
    if not all(_same_form(one, change) for attribute in node.attribute for one in attribute.g.node):
        return False
    if old.since_version == new.since_version:
        return True
    if node.op_type == "Split" and len(node.input) == 1 and max(change.stated, change.opset) == SPLIT_STATES_PARTS:
        return False
    return not change.crosses(node) and _attributes_fit(node, old, new) and _tensors_fit(node, new, change.types)


def _attributes_fit(node: NodeProto, old: onnx.defs.OpSchema, new: onnx.defs.OpSchema) -> bool:
    given = {attribute.name for attribute in node.attribute}
    required = {name for name, attribute in new.attributes.items() if attribute.required}
    left_out = (old.attributes.keys() & new.attributes.keys()) - given
    same = all(old.attributes[name].default_value == new.attributes[name].default_value for name in left_out)
    return given <= new.attributes.keys() and required <= given and same


def _tensors_fit(node: NodeProto, new: onnx.defs.OpSchema, types: Mapping[str, onnx.ValueInfoProto]) -> bool:
    for names, formals, low, high in (
        (node.input, new.inputs, new.min_input, new.max_input),
        (node.output, new.outputs, new.min_output, new.max_output),
    ):
        if not low <= len(names) <= high:
            return False
        for i, name in enumerate(names):
            formal = formals[min(i, len(formals) - 1)]
            if not name and formal.option != onnx.defs.OpSchema.FormalParameterOption.Optional:
                return False
            if name in types and _type_word(types[name]) not in formal.types:
                return False
    return True


def _type_word(value: onnx.ValueInfoProto) -> str:
    return f"tensor({TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()})"


def _by_rule(node: NodeProto, change: _Change, prefix: str) -> Form | None:
    """The node in the other version by our rule, if there is one for this kind and version."""
    rule = (RULES if change.opset < change.stated else RULES_UPWARDS).get((node.op_type, change.opset))
    return rule(node, change.known, prefix) if rule else None


def _by_converter(node: NodeProto, change: _Change, prefix: str) -> Form | None:
    """The node in another opset by onnx's converter, which sees a graph of this node alone."""
    names = [name for name in dict.fromkeys(node.input) if name]
    outputs = [name for name in node.output if name]
    if node.domain or not change.types.keys() >= {*names, *outputs}:
        return None
    if (node.op_type, change.stated, change.opset) in NOT_BY_CONVERTER:
        return None
    constants = [change.weights[name] for name in names if name in change.weights]
    inputs = [change.types[name] for name in names if name not in change.weights]
    graph = helper.make_graph([node], "one", inputs, [change.types[name] for name in outputs], constants)
    try:
        made = onnx.version_converter.convert_version(_model(graph, change.stated), change.opset)
        made.ir_version = ir_version(change.opset)
        onnx.checker.check_model(made, full_check=True)
    except CONVERTER_ERRORS:
        return None
    if change.crosses(node) and [one.op_type for one in made.graph.node] == [node.op_type]:
        return None  # it was relabelled, and means something else
    return _with_own_names(made, {*names, *outputs}, prefix)


def _with_own_names(made: ModelProto, kept: set[str], prefix: str) -> Form:
    """The nodes and new constants of a converted graph; inner tensors get names that no other graph has."""

    def own(name: str) -> str:
        return name if not name or name in kept else f"{prefix}_{name}"

    nodes, constants = list[NodeProto](), [tensor for tensor in made.graph.initializer if tensor.name not in kept]
    for number, node in enumerate(made.graph.node):
        if node.op_type == "Constant":
            value: TensorProto = attributes_of(node)["value"]
            value.name = node.output[0]
            constants.append(value)
            continue
        node.input[:] = [own(name) for name in node.input]
        node.output[:] = [own(name) for name in node.output]
        node.name = f"{prefix}_{number}"
        nodes.append(node)
    for tensor in constants:
        tensor.name = own(tensor.name)
    return nodes, constants


def _model(graph: onnx.GraphProto, opset: int) -> ModelProto:
    imports = [helper.make_opsetid("", opset)]
    made: ModelProto = helper.make_model(graph, opset_imports=imports, ir_version=ir_version(opset))
    return made
