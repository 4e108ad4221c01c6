"""The result of each function of a game: its shape, whether it draws, and where gradients pass, without a framework.

A function of `zoo.nn.functions` is part of the language if it has a rule here. A rule takes the arguments of the call,
tensors as `Operand`, and returns the shape of one example of the result: () for one number for each example, None for
one number for the whole batch. It raises ShapeError for what the function cannot take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from zoo.spec.shapes import Shape, ShapeError

Arguments = Mapping[str, Any]


class Operand(NamedTuple):
    """A tensor that a function takes: its name in messages, and its shape; None for one number."""

    name: str
    shape: Shape | None

    def __str__(self) -> str:
        """Return name and shape, such as fake [64, 64, 3]."""
        return f"{self.name} {shape_text(self.shape)}"


def shape_text(shape: Shape | None) -> str:
    """Describe the shape of a value.

    Args:
        shape: Of one example, or None for one number.

    Returns:
        Such as [64, 64, 3]; [batch] for one number for each example; 'one number' for a scalar.
    """
    return "one number" if shape is None else str(list(shape)) if shape else "[batch]"


@dataclass(frozen=True)
class Rule:
    """Facts of a function that are known without running it.

    Attributes:
        shape: Returns the shape of the result.
        draws: It draws random numbers, anew in each update.
        memory: It has a state of its own, such as a pool.
        stops: No gradient passes it.
        constants: Arguments that no gradient reaches, such as ids of classes.
    """

    shape: Callable[[Arguments], Shape | None]
    draws: bool = False
    memory: bool = False
    stops: bool = False
    constants: tuple[str, ...] = ()

    @property
    def pure(self) -> bool:
        """True for a function that may stand inside another: neither a draw nor a memory."""
        return not (self.draws or self.memory)


RULES: dict[str, Rule] = {}
ADVERSARIAL = (".discriminator", ".generator", ".real", ".fake")  # of each loss: hinge.discriminator, ...


def function_rule(name: str) -> Rule | None:
    """Return the rule of a function.

    Args:
        name: Its registered name; the four functions of each adversarial loss share their rules.

    Returns:
        The rule; None where there is none.
    """
    dot = name.rfind(".")
    return RULES.get(name) or (RULES.get(name[dot:]) if dot > 0 else None)


def _result(*names: str, **known: Any) -> Callable[[Callable[[Arguments], Any]], Callable[[Arguments], Any]]:
    """Register a function as the shape rule of the functions called `names`."""

    def put(function: Callable[[Arguments], Any]) -> Callable[[Arguments], Any]:
        for name in names:
            if name in RULES:
                raise ValueError(f"function '{name}' has two rules")
            RULES[name] = Rule(function, **known)
        return function

    return put


def _same(operands: Sequence[Operand], verb: str) -> Shape | None:
    """Return the shape that all operands have. Raises ShapeError."""
    first, *others = operands
    for other in others:
        if other.shape != first.shape:
            raise ShapeError(f"cannot {verb} {first} with {other}")
    return first.shape


def _mean(args: Arguments) -> Shape | None:
    """Return the shape of a mean: one number, or with `per: example` one for each."""
    return () if args.get("per") == "example" else None


def _broadcast(operands: Sequence[Operand], verb: str) -> Shape | None:
    """Return the shape of an elementwise result; numbers, also one for each example, go with everything."""
    wide = [operand for operand in operands if operand.shape not in (None, (), (1,))]
    if wide:
        return _same(wide, verb)
    shapes = [operand.shape for operand in operands if operand.shape is not None]
    return max(shapes, key=len) if shapes else None


def _tensor(operand: Operand) -> Shape:
    """Return the shape of an operand that has a batch axis. Raises ShapeError."""
    if operand.shape is None:
        raise ShapeError(f"takes a tensor with an example in each row; {operand.name} is one number")
    return operand.shape


@_result(".discriminator", ".real", ".fake", ".generator")
def adversarial(args: Arguments) -> Shape | None:
    real, fake = args.get("real"), args.get("fake")
    if args.get("relativistic") and real is not None and fake is not None:
        _same([real, fake], "pair")
    return _mean(args)


@_result("l1", "l2")
def distance(args: Arguments) -> Shape | None:
    if len(args["between"]) != 2:
        raise ShapeError(f"compares two values, received {len(args['between'])}")
    first, second = args["between"]
    if None not in (first.shape, second.shape):
        _same([first, second], "compare")
    return _mean(args)


@_result("gram")
def gram(args: Arguments) -> Shape | None:
    if len(args["between"]) != 2:
        raise ShapeError(f"compares two values, received {len(args['between'])}")
    for tensors in zip(*args["between"], strict=True) if args.get("layers") else [args["between"]]:
        for tensor in tensors:
            if tensor.shape is None or len(tensor.shape) != 3:
                raise ShapeError(f"takes feature maps [height, width, channels], received {tensor}")
        if tensors[0].shape[2] != tensors[1].shape[2]:
            raise ShapeError(f"cannot compare {tensors[0]} with {tensors[1]}: the channels differ")
    return _mean(args)


@_result("feature_matching")
def feature_matching(args: Arguments) -> Shape | None:
    _same([args["real"], args["fake"]], "compare")
    return None


@_result("total_variation")
def total_variation(args: Arguments) -> Shape | None:
    _image(args["of"])
    return _mean(args)


def _image(operand: Operand) -> Shape:
    if operand.shape is None or len(operand.shape) != 3:
        raise ShapeError(f"takes images [height, width, channels], received {operand}")
    return operand.shape


@_result("cross_entropy", constants=("labels",))
def cross_entropy(args: Arguments) -> Shape | None:
    logits, labels = _tensor(args["of"]), _tensor(args["labels"])
    if not logits or labels != logits[:-1]:
        hint = "" if labels else ". It ends in a layer with one number for each class"
        raise ShapeError(f"the logits {args['of']} do not fit the class ids {args['labels']}{hint}")
    return _mean(args)


@_result("binary_cross_entropy")
def binary_cross_entropy(args: Arguments) -> Shape | None:
    target = args.get("target")
    if isinstance(target, Operand):
        _broadcast([args["of"], target], "compare")
    return _mean(args)


@_result("gaussian_nll", "gaussian_kl")
def gaussian(args: Arguments) -> Shape | None:
    _broadcast([args[key] for key in ("of", "mean", "log_variance") if isinstance(args.get(key), Operand)], "compare")
    return _mean(args)


@_result("gradient_penalty", "r1")
def penalty(args: Arguments) -> Shape | None:
    _tensor(args["of"])
    return _mean(args)


@_result("path_lengths", draws=True)
def path_lengths(args: Arguments) -> Shape | None:
    _tensor(args["of"])
    return ()


@_result("orthogonal")
def of_weights(args: Arguments) -> Shape | None:
    return None


@_result("normal", "uniform", draws=True, stops=True)
def noise(args: Arguments) -> Shape | None:
    return tuple(args["shape"])


@_result("categorical", draws=True, stops=True)
def categorical(args: Arguments) -> Shape | None:
    if (args.get("classes") is None) == (args.get("like") is None):
        raise ShapeError("takes one of `classes: 10` and `like: label`")
    return ()


@_result("another", draws=True, stops=True)
def another(args: Arguments) -> Shape | None:
    return _tensor(args["of"])


@_result("shuffled", draws=True, constants=("unlike",))
@_result("augmented", "perturbed", draws=True)
@_result("pool", draws=True, memory=True, stops=True)
def drawn_from(args: Arguments) -> Shape | None:
    return _tensor(args["of"])


@_result("gaussian", draws=True)
def gaussian_draw(args: Arguments) -> Shape | None:
    return _broadcast([args[key] for key in ("mean", "log_variance") if isinstance(args.get(key), Operand)], "combine")


@_result("style_mixing", draws=True)
def style_mixing(args: Arguments) -> Shape | None:
    shape = _same([args["of"], args["with"]], "mix")
    if shape is None or len(shape) != 1:
        raise ShapeError(f"takes styles [features], received {args['of']}")
    return (args["layers"], *shape)


@_result("stop_gradient", "sign", stops=True)
@_result("abs", "square", "relu", "log")
def elementwise(args: Arguments) -> Shape | None:
    return args["of"].shape


@_result("softmax")
def probabilities(args: Arguments) -> Shape | None:
    if not args["of"].shape:
        raise ShapeError(f"takes logits [classes], one number for each class; received {args['of']}")
    return args["of"].shape


@_result("one_hot", stops=True)
def one_hot(args: Arguments) -> Shape | None:
    if args["of"].shape != ():
        raise ShapeError(f"takes class ids, such as a label; received {args['of']}")
    return (args["classes"],)


@_result("word_set", stops=True)
def word_set(args: Arguments) -> Shape | None:
    _text(args["of"])
    return (args["size"],)


@_result("words_nll", constants=("text",))
def words_nll(args: Arguments) -> Shape | None:
    _text(args["text"])
    if args["of"].shape is None or len(args["of"].shape) != 1:
        raise ShapeError(f"takes a logit for each id of a word; received {args['of']}")
    return _mean(args)


def _text(operand: Operand) -> None:
    """Refuse what is not ids of words. Raises ShapeError."""
    if operand.shape is None or len(operand.shape) != 1:
        raise ShapeError(f"takes ids of words, such as text; received {operand}")


@_result("lerp")
def lerp(args: Arguments) -> Shape | None:
    ends, share = [args["from"], args["to"]], args["share"]
    operands = [end for end in ends if isinstance(end, Operand)]
    if len(operands) == 2 and None not in (operands[0].shape, operands[1].shape):
        _same(operands, "mix")
    return _broadcast([*operands, share] if isinstance(share, Operand) else operands, "mix")


@_result("sum")
def weighted_sum(args: Arguments) -> Shape | None:
    return _broadcast([one for term in args["terms"] for one in term if isinstance(one, Operand)], "add")


@_result("product")
def product(args: Arguments) -> Shape | None:
    return _broadcast(args["of"], "multiply")


@_result("mean")
def mean(args: Arguments) -> Shape | None:
    return _mean(args)


@_result("slice")
def piece(args: Arguments) -> Shape | None:
    *outer, features = _tensor(args["of"]) or (0,)
    start, size = args["start"], args["size"]
    if start + size > features:
        raise ShapeError(f"{size} components from {start} on are not in {args['of']}")
    return (*outer, size)


@_result("tiled")
def tiled(args: Arguments) -> Shape | None:
    return (args["times"], *_tensor(args["of"]))


@_result("resized")
def resized(args: Arguments) -> Shape | None:
    return (*_sides(args["size"]), _image(args["of"])[2])


@_result("picture", stops=True)
def picture(args: Arguments) -> Shape | None:
    if (args.get("path") is None) == (args.get("painting") is None):
        raise ShapeError("takes one of `path: FILE` and `painting: bouquet`")
    return (*_sides(args["size"]), args["channels"])


def _sides(size: int | Sequence[int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


@_result("input", stops=True)
def given(args: Arguments) -> Shape | None:
    return ()
