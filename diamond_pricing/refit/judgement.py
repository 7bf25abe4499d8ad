"""May a candidate take the champion's place? A pure function from evaluations to a decision.

All evaluations are of the same held-out sales. Against the champion a jump shows, against a
pinned anchor the sum of many small steps.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from diamond_pricing.arrays import Vector
from diamond_pricing.fitting import Sales
from diamond_pricing.fitting.held_out import HeldOut
from diamond_pricing.model import PriceModel
from diamond_pricing.refit.days import on, within
from diamond_pricing.refit.gates import Gates
from diamond_pricing.stones import Stones, stone_keys
from diamond_pricing.validation import scores
from diamond_pricing.validation.drift import shift
from diamond_pricing.validation.ratio_study import by_chance

SEGMENT = 100  # sales from which a segment is judged
GROUP = 30  # sales from which a group is looked at
BANDS = (0.4, 0.7, 1.0, 1.5)  # carats, of segments
BAND_NAMES = np.array(
    ["under 0.4 ct", "0.4 to 0.7 ct", "0.7 to 1 ct", "1 to 1.5 ct", "from 1.5 ct"]
)
ONE_SIDED = 1.645  # 95 %
TWO_SIDED = 1.96
TOLD = "(told, not judged)"  # at the end of what a finding says that fails nothing


class Finding(msgspec.Struct, frozen=True):
    """What one gate found.

    Attributes
    ----------
    gate, against : str
        Which gate; ``champion``, ``anchor`` or empty.
    value, limit : float
    passed : bool
    says : str
        One sentence for a person.
    """

    gate: str
    against: str
    value: float
    limit: float
    passed: bool
    says: str


def weight_bands(stones: Stones) -> NDArray[np.str_]:
    """Weight band of each stone in words, shape (n,)."""
    found: NDArray[np.str_] = BAND_NAMES[np.searchsorted(BANDS, stones["carat"], side="right")]
    return found


def at_most(gate: str, value: float, limit: float, says: str, against: str = "") -> Finding:
    """What a gate found that passes up to its limit."""
    return Finding(gate, against, float(value), limit, bool(value <= limit), says)


def reported(gate: str, value: float, says: str) -> Finding:
    """What is reported, but not judged."""
    return Finding(gate, "", value, 1.0, True, f"{says} {TOLD}")


class Decision(msgspec.Struct, frozen=True):
    """Whether to promote, and why.

    Attributes
    ----------
    promote : bool
    findings : tuple[Finding, ...]
        Of every gate, passed or not.
    """

    promote: bool
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The findings that stand against promotion."""
        return tuple(f for f in self.findings if not f.passed)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A model on n held-out sales.

    Attributes
    ----------
    model : str
        Its id.
    certified : bool
        Whether its document proves that no price falls as a stone improves.
    price, predicted : Vector
        Dollars, as recorded, shape (n,).
    quoted : callable
        Day, see `Day`, or None for the last one → log price on the blend on that day, what
        a client is told; shape (n,).
    inside : ndarray of bool, or None
        Whether the 90 % range holds each price; None for a model without ranges.
    segment : ndarray of str
        Weight band and clarity, shape (n,).
    stone : ndarray
        Equal for sales of one stone, shape (n,).
    day : float, optional
        The last day that the sales of the model cover.
    """

    model: str
    certified: bool
    price: Vector
    predicted: Vector
    quoted: Callable[[float | None], Vector]
    inside: NDArray[np.bool_] | None
    segment: NDArray[np.str_]
    stone: NDArray[np.int64]
    day: float | None = None

    @classmethod
    def of(cls, model: PriceModel, sales: Sales) -> "Evaluation":
        """Evaluate a model; stones that it would refuse are extrapolated."""
        stones = sales.stones
        recorded = model.log_price(within(model, stones), listing="recorded", extrapolate=True)

        def quoted(day: float | None) -> Vector:
            return model.log_price(on(day, model, stones), extrapolate=True)

        return cls._compared(model, sales, recorded, quoted)

    @classmethod
    def cross_fitted(cls, model: PriceModel, held: HeldOut) -> "Evaluation":
        """Evaluate the fits without each fold of the sales that a model is fitted on."""
        judged = ~np.isnan(held.recorded)
        sales = held.sales.take(judged)
        blend = held.blend[judged]
        return cls._compared(model, sales, held.recorded[judged], lambda _: blend)

    @classmethod
    def _compared(
        cls,
        model: PriceModel,
        sales: Sales,
        recorded: Vector,
        quoted: Callable[[float | None], Vector],
    ) -> "Evaluation":
        stones, inside = sales.stones, None
        if model.ranges is not None:
            half = model.ranges.half_widths(stones, 0.9, "recorded")
            inside = np.abs(np.log(sales.price) - recorded) <= half
        segment = np.char.add(np.char.add(weight_bands(stones), " "), stones.labels("clarity"))
        return cls(
            model=model.sha256,
            certified=model.certificate is not None and model.certificate.holds,
            price=sales.price,
            predicted=np.exp(recorded),
            quoted=quoted,
            inside=inside,
            segment=segment,
            stone=stone_keys(stones),
            day=model.last_day,
        )


def judge(
    candidate: Evaluation, champion: Evaluation | None, anchor: Evaluation | None, gates: Gates
) -> Decision:
    """Hold a candidate against the gates.

    Parameters
    ----------
    champion, anchor : Evaluation, optional
        Of the same sales; None where there is none yet.
    """
    findings = [*_itself(candidate, champion, gates)]
    for name, other in (("champion", champion), ("anchor", anchor)):
        if other is not None:
            findings += _against(candidate, other, name, gates)
    return Decision(all(f.passed for f in findings), tuple(findings))


def by_source(candidate: Evaluation, source: NDArray[np.str_]) -> Iterator[Finding]:
    """Where the sales of each source, (n,), lie from the candidate's prices; not judged."""
    residual = np.log(candidate.price / candidate.predicted)
    for name in np.unique(source):
        of = source == name
        if of.sum() >= GROUP and not of.all():
            here = shift(name, residual[of])
            yield reported(
                "residual",
                here.median,
                f"the {here.n:,} held-out sales of {name} lie "
                f"{100 * np.expm1(here.median):+.1f} % (± {100 * TWO_SIDED * here.error:.1f}) "
                "from the candidate's prices",
            )


def _itself(
    candidate: Evaluation, champion: Evaluation | None, gates: Gates
) -> Iterator[Finding]:
    certified = candidate.certified
    says = "no price falls as a stone improves"
    says = says if certified else f"it is not proved that {says}"
    yield Finding("certificate", "", float(certified), 1.0, certified, says)
    score = scores(candidate.price, candidate.predicted)
    if champion is None:
        says = f"the typical error is {100 * score.log_rmse:.1f} %"
        yield at_most("error", score.log_rmse, gates.worst_error, says)
    before = None if champion is None else scores(champion.price, champion.predicted)
    prd, prb = by_chance(candidate.price, candidate.predicted)
    low, high = min(gates.prd_low, prd[0]), max(gates.prd_high, prd[1])
    if before is not None:  # what the champion has already is no reason to keep it
        low, high = min(low, before.prd), max(high, before.prd)
    says = f"the price-related differential is {score.prd:.3f}, allowed {low:.3f} to {high:.3f}"
    yield Finding("prd", "", score.prd, gates.prd_high, low <= score.prd <= high, says)
    most = max(gates.prb, abs(before.prb) if before is not None else 0.0)
    low, high = min(-most, prb[0]), max(most, prb[1])
    says = f"the price-related bias is {score.prb:+.3f}, allowed {low:+.3f} to {high:+.3f}"
    yield Finding("prb", "", score.prb, most, low <= score.prb <= high, says)
    yield _coverage(candidate, gates)


def _coverage(candidate: Evaluation, gates: Gates) -> Finding:
    """The worst segment, by what its coverage may be at most."""
    if candidate.inside is None:
        return Finding("coverage", "", 0.0, gates.coverage, False, "the model states no ranges")
    worst, where = 1.0, "no segment has enough sales"
    for segment in np.unique(candidate.segment):
        of = candidate.segment == segment
        n, share = int(of.sum()), float(candidate.inside[of].mean())
        if n < SEGMENT:
            continue
        centre = share + TWO_SIDED**2 / (2 * n)
        spread = TWO_SIDED * np.sqrt(share * (1 - share) / n + (TWO_SIDED / (2 * n)) ** 2)
        upper = float((centre + spread) / (1 + TWO_SIDED**2 / n))
        if upper < worst:
            worst = upper
            where = f"its 90 % ranges hold {100 * share:.1f} % of {n} sales {segment}"
    return Finding("coverage", "", worst, gates.coverage, worst >= gates.coverage, where)


def _against(
    candidate: Evaluation, other: Evaluation, name: str, gates: Gates
) -> Iterator[Finding]:
    if len(candidate.price) != len(other.price) or (candidate.price != other.price).any():
        raise ValueError("evaluations must be of the same sales.")
    if name == "champion":
        yield _error(candidate, other, gates)
    # On one day: that the market moved since is no fault of the candidate.
    move = np.abs(candidate.quoted(other.day) - other.quoted(other.day))
    if not len(move):
        return
    for gate, value, words in (
        ("median_move", np.median(move), "half the kept-back stones move by less than"),
        ("far_move", np.quantile(move, 0.99), "99 of 100 kept-back stones move by less than"),
        ("largest_move", move.max(), "the largest movement of a kept-back stone is"),
    ):
        limit = getattr(gates, f"{gate}_anchor" if name == "anchor" else gate)
        says = f"{words} {100 * np.expm1(value):.1f} % against the {name}"
        yield at_most(gate, value, limit, says, name)


def _error(candidate: Evaluation, champion: Evaluation, gates: Gates) -> Finding:
    """Mean squared log error, paired by stone, beyond its one-sided confidence limit."""
    squares = [np.log(e.predicted / e.price) ** 2 for e in (candidate, champion)]
    _, at = np.unique(candidate.stone, return_inverse=True)
    difference = np.bincount(at, squares[0] - squares[1])
    n = len(squares[0])
    mean = difference.sum() / n
    centred = difference - mean * np.bincount(at)
    error = np.sqrt(np.sum(centred**2)) / n
    ours, base = squares[0].mean(), float(squares[1].mean())
    says = (
        f"the typical error is {100 * np.sqrt(ours):.2f} %, the champion's "
        f"{100 * np.sqrt(base):.2f} %"
    )
    surely = (mean - ONE_SIDED * error) / base
    return at_most("error", surely, gates.worse_error, says, "champion")
