"""To which line an effect belongs.

An effect of one line's features is that line's. An effect of several (a surface over
weight and color, say) is divided by Shapley's rule over the lines: each line is moved from
the reference stone to the stone in every order, and gets the mean of what it changed. So a
line whose features do not change is exactly nothing, and exchanging the two stones turns
every line around. For two lines f(a, b) this is the familiar

    Δ_a = ½[f(a, b) − f(a₀, b)] + ½[f(a, b₀) − f(a₀, b₀)].
"""

from collections.abc import Callable
from functools import cache
from itertools import combinations
from math import factorial

from diamond_pricing.arrays import Matrix


def shares(
    lines: tuple[str, ...], value: Callable[[frozenset[str]], Matrix]
) -> dict[str, Matrix]:
    """Divide value(all lines) − value(no line) among ``lines``.

    Parameters
    ----------
    value : callable
        The effect when just these lines are as in the stone and the others as in the
        reference; any shape, the same for every call.
    """
    k = len(lines)
    seen: dict[frozenset[str], Matrix] = {}

    def at(moved: frozenset[str]) -> Matrix:
        if moved not in seen:
            seen[moved] = value(moved)
        return seen[moved]

    divided: dict[str, Matrix] = {}
    for line in lines:
        others = [other for other in lines if other != line]
        total: Matrix | None = None
        for size in range(k):
            weight = factorial(size) * factorial(k - 1 - size) / factorial(k)
            for chosen in combinations(others, size):
                before, after = frozenset(chosen), frozenset(others) - frozenset(chosen)
                # A set and its complement are added as a pair, so that exchanging the two
                # stones negates the sum to the last bit.
                if (len(before), sorted(before)) > (len(after), sorted(after)):
                    continue
                step = at(before | {line}) - at(before)
                if before != after:
                    step = step + (at(after | {line}) - at(after))
                total = weight * step if total is None else total + weight * step
        assert total is not None
        divided[line] = total
    return divided


@cache
def coalitions(k: int) -> tuple[tuple[tuple[int, ...], tuple[float, ...]], ...]:
    """The same rule as weights: each set of moved lines, and what it counts for each line.

    Of k lines, given by their numbers; the share of a line is the sum of the values of all
    sets times these weights.
    """
    found = []
    for size in range(k + 1 if k else 0):
        for moved in combinations(range(k), size):
            weights = []
            for line in range(k):
                others = size - (line in moved)
                weight = factorial(others) * factorial(k - 1 - others) / factorial(k)
                weights.append(weight if line in moved else -weight)
            found.append((moved, tuple(weights)))
    return tuple(found)
