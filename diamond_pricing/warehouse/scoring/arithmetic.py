"""Pieces of SQL, in the dialect of DuckDB: numbers, searches, cubics, features.

All numbers are written with an exponent: an engine would take 0.5 for a decimal.
"""

import ast
from collections.abc import Sequence, Set

from diamond_pricing.errors import NotCompilableError

_OPERATORS: dict[type[ast.operator], str]
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_FUNCTIONS = {"log": "LN", "sqrt": "SQRT", "exp": "EXP"}


def number(value: float) -> str:
    """A number as a double, with every digit."""
    text = repr(float(value))
    text = text if "e" in text else f"{text}e0"
    return f"({text})" if value < 0 else text


def searched(value: str, edges: Sequence[float], first: int = 0) -> str:
    """How many of ascending edges are at most a value, plus ``first``; by halving."""
    if not edges:
        return str(first)
    middle = len(edges) // 2
    below = searched(value, edges[:middle], first)
    above = searched(value, edges[middle + 1 :], first + middle + 1)
    return f"CASE WHEN {value} < {number(edges[middle])} THEN {below} ELSE {above} END"


def polynomial(columns: Sequence[str], variable: str) -> str:
    """``c1·v + c2·v² + …``, an empty name standing for a coefficient of zero."""
    text = ""
    for column in reversed(columns):
        inner = " + ".join(part for part in (column, text) if part)
        text = f"{variable} * ({inner})" if inner else ""
    return text


def feature(text: str, missing: Set[str]) -> str:
    """A line of arithmetic over measures, of which some may be ``missing``, that is NULL.

    Smallest and largest must not be asked of those.
    """
    tree = ast.parse(text, mode="eval").body
    names = sorted({n.id for n in ast.walk(tree) if isinstance(n, ast.Name)})
    written = _written(tree)
    needed = [name for name in names if name in missing]
    if {"min", "max"} & set(names) and needed:
        known = " AND ".join(f"m_{name} IS NOT NULL" for name in needed)
        return f"CASE WHEN {known} THEN {written} END"
    return written


def _written(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=int() | float() as value):
            return number(value)
        case ast.Name(id=name):
            return f"m_{name}"
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return f"(-{_written(inner)})"
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return f"POWER({_written(left)}, {_written(right)})"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return f"({_written(left)} {_OPERATORS[type(op)]} {_written(right)})"
        case ast.Call(func=ast.Name(id="log"), args=[ast.Name(id="carat")]):
            return "log_carat"
        case ast.Call(func=ast.Name(id=name), args=[inner]) if name in _FUNCTIONS:
            return f"{_FUNCTIONS[name]}({_written(inner)})"
        case ast.Call(func=ast.Name(id="min" | "max" as name), args=[first, second]):
            a, b = _written(first), _written(second)
            return f"CASE WHEN {a} {'<' if name == 'min' else '>'} {b} THEN {a} ELSE {b} END"
    raise NotCompilableError(f"{ast.unparse(node)!r} cannot be written in SQL.")
