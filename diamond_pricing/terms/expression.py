"""A small arithmetic over measures: ``log(carat)``, ``log(x * y) / 2 - log(carat) / 3``.

A model document says in such a line what each curve is drawn over, so that a person can
read it, another program can translate it, and nothing in a document is ever executed:
the text is parsed and its tree is walked.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Vector
from diamond_pricing.errors import ExpressionError, UnsupportedStoneError
from diamond_pricing.stones import ATTRIBUTES, Measure

Columns = Mapping[str, Vector]
_Rule = Callable[[Any], Any]

LONGEST = 200


def _names() -> set[str]:
    return {a.name for a in ATTRIBUTES.values() if isinstance(a, Measure)}


# Each operation twice: on columns, and on single numbers, which is faster for one stone.
_Pair = tuple[Callable[..., Any], Callable[..., Any]]
_OPERATORS: dict[type[ast.operator], tuple[str, _Pair]] = {
    ast.Add: ("+", (np.add, operator.add)),
    ast.Sub: ("-", (np.subtract, operator.sub)),
    ast.Mult: ("*", (np.multiply, operator.mul)),
    ast.Div: ("/", (np.divide, operator.truediv)),
    ast.Pow: ("**", (np.power, operator.pow)),
}


def _least(a: float, b: float) -> float:
    return a if a < b or a != a else b


def _greatest(a: float, b: float) -> float:
    return a if a > b or a != a else b


_FUNCTIONS: dict[str, tuple[int, _Pair]] = {
    "log": (1, (np.log, math.log)),
    "sqrt": (1, (np.sqrt, math.sqrt)),
    "exp": (1, (np.exp, math.exp)),
    "min": (2, (np.minimum, _least)),
    "max": (2, (np.maximum, _greatest)),
}
_COLUMNS, _ONE = 0, 1
_NUMPY = {"log": "log", "sqrt": "sqrt", "exp": "exp", "minimum": "min", "maximum": "max"}


@dataclass(frozen=True, slots=True)
class Expression:
    """A line of arithmetic that was read and understood."""

    text: str  # the same line in one standard spelling
    attributes: tuple[str, ...]  # the measures it needs, sorted
    # Whether exchanging length and width may change the value. Sums, products, smallest and
    # largest of the same parts count as the same; in doubt it is True, which costs time only.
    ordered: bool
    _rule: _Rule
    _one: _Rule

    def of(self, stone: Any) -> float | None:
        """Value for one stone; None where a measure is missing.

        A stone without a value, as of the logarithm of nothing, is `refused`.
        """
        for name in self.attributes:
            if getattr(stone, name) is None:
                return None
        try:
            value = float(self._one(stone))
        except (ArithmeticError, ValueError, TypeError):  # where columns have NaN or infinity
            columns = {name: np.array([getattr(stone, name)]) for name in self.attributes}
            value = float(self.evaluate(columns)[0])
        if not math.isfinite(value):
            raise self.refused(0)
        return value

    def evaluate(self, columns: Columns) -> Vector:
        """Values for n stones, shape (n,); NaN where a measure is missing."""
        with np.errstate(all="ignore"):
            value: Vector = self._rule(columns)
            return value

    def known(self, columns: Columns) -> tuple[Vector, NDArray[np.bool_]]:
        """Values for n stones, and where a measure is missing; both shape (n,).

        The first row without a value, though it has all measures, is `refused`.
        """
        value = self.evaluate(columns)
        missing = ~np.isfinite(value)
        if missing.any():
            some = [np.isnan(columns[name]) for name in self.attributes]
            if (bad := missing & ~np.logical_or.reduce(some)).any():
                raise self.refused(int(np.argmax(bad)))
            missing = np.logical_or.reduce(some)
        return value, missing

    def refused(self, row: int) -> UnsupportedStoneError:
        """The error of a stone that this has no value for."""
        return UnsupportedStoneError(
            f"{self.text} has no value for row {row} of the stones.",
            attribute=self.attributes[0],
        )


@lru_cache(maxsize=1024)
def parse(text: str) -> Expression:
    """Read one line of arithmetic.

    Names of measures, numbers, ``+ - * / **``, brackets, ``log sqrt exp min max``; ``np.log``
    and ``I(...)`` may be written as formulas have them. When it holds anything else, an
    `ExpressionError` names the part not understood.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression of {len(text)} characters; at most {LONGEST}.")
    try:
        tree = _plain(ast.parse(text.strip(), mode="eval").body)
        rule, one = _rule(tree, _COLUMNS), _rule(tree, _ONE)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, ExpressionError):
            raise
        raise ExpressionError(f"{text!r} is not arithmetic over attributes.") from error
    found = sorted(
        {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & _names()
    )
    if not found:
        raise ExpressionError(
            f"{text!r} uses no attribute; known: {', '.join(sorted(_names()))}."
        )
    ordered = _shape(tree, {}) != _shape(tree, {"x": "y", "y": "x"})
    return Expression(ast.unparse(tree), tuple(found), ordered, rule, one)


def walked(
    text: str,
    name: Callable[[str], Any],
    number: Callable[[float], Any],
    operations: Mapping[str, Callable[..., Any]],
) -> Any:
    """Translate arithmetic that `parse` reads into another language.

    ``name`` and ``number`` give what stands for a measure, and for a constant; ``operations``
    what ``+ - * / **`` and ``log sqrt exp min max`` make of their parts.
    """

    def of(node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=int() | float() as value):
                return number(float(value))
            case ast.Name(id=measure):
                return name(measure)
            case ast.UnaryOp(operand=inner):
                return operations["-"](number(0.0), of(inner))
            case ast.BinOp(left=left, op=op, right=right):
                return operations[_OPERATORS[type(op)][0]](of(left), of(right))
            case ast.Call(func=ast.Name(id=function), args=arguments):
                return operations[function](*map(of, arguments))
        raise AssertionError("parse lets nothing else through")

    return of(ast.parse(parse(text).text, mode="eval").body)


def _shape(node: ast.expr, names: Mapping[str, str]) -> str:
    """Write a tree with names exchanged and the parts of symmetric operations sorted."""
    match node:
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.UnaryOp(operand=inner):
            return f"(- {_shape(inner, names)})"
        case ast.BinOp(left=left, op=op, right=right):
            parts, kind = [_shape(left, names), _shape(right, names)], type(op).__name__
            symmetric = kind in ("Add", "Mult")
        case ast.Call(func=function, args=arguments):
            parts, kind = [_shape(a, names) for a in arguments], ast.unparse(function)
            symmetric = kind in ("min", "max")
        case _:
            return ast.unparse(node)
    return f"({kind} {' '.join(sorted(parts) if symmetric else parts)})"


def _plain(node: ast.expr) -> ast.expr:
    """Drop the spelling of formulas: ``np.log(a)`` is ``log(a)``, ``I(a)`` is ``a``."""
    if isinstance(node, ast.Call):
        function = node.func
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            if function.value.id in ("np", "numpy"):
                node.func = ast.Name(_NUMPY.get(function.attr, ast.unparse(function)))
        elif isinstance(function, ast.Name) and function.id == "I" and len(node.args) == 1:
            return _plain(node.args[0])
        node.args = [_plain(argument) for argument in node.args]
    elif isinstance(node, ast.BinOp):
        node.left, node.right = _plain(node.left), _plain(node.right)
    elif isinstance(node, ast.UnaryOp):
        node.operand = _plain(node.operand)
    return node


def _rule(node: ast.expr, kind: int) -> _Rule:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            constant = np.array(float(number)) if kind == _COLUMNS else float(number)
            return lambda columns: constant
        case ast.Name(id=name) if name in _names():
            return itemgetter(name) if kind == _COLUMNS else attrgetter(name)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            value = _rule(inner, kind)
            return lambda columns: -value(columns)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            combine = _OPERATORS[type(op)][1][kind]
            a, b = _rule(left, kind), _rule(right, kind)
            return lambda columns: combine(a(columns), b(columns))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if (
            name in _FUNCTIONS and len(arguments) == _FUNCTIONS[name][0]
        ):
            function = _FUNCTIONS[name][1][kind]
            inputs = [_rule(argument, kind) for argument in arguments]
            return lambda columns: function(*(value(columns) for value in inputs))
    raise ExpressionError(
        f"{ast.unparse(node)!r} is not arithmetic over attributes; "
        f"known: {', '.join(sorted(_names()))}; + - * / **; {', '.join(_FUNCTIONS)}."
    )
