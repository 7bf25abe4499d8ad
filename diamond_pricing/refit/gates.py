"""The limits that a delivery and a candidate model must keep, in one TOML file."""

import tomllib

import msgspec
from msgspec.structs import asdict

from diamond_pricing.errors import GatesError

_SHARES = ("most_quarantined", "most_unsupported", "most_unsupported_first", "coverage")


class Gates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits with their defaults; shares and log distances as fractions of 1.

    Attributes
    ----------
    outlier_factor : float
        A sale at more than this many times the active model's price, or under its inverse,
        is set aside.
    most_quarantined : float
        Share of a file's rows; above it the file is refused whole.
    most_unsupported, most_unsupported_first : float
        Share of stones that the active model, or before there is one the packaged model,
        does not price.
    first_level : float
        How many times the packaged model's prices a home's first delivery may lie at, or
        under its inverse.
    level_shift, level_shift_anchor : float
        Median of the new sales' residuals against the active model and the anchor.
    group_shift : float
        The same within each grade and weight band of 30 sales or more.
    largest_offset : float
        Median of a source's first sales against the active model, where the offset of the
        source is to be fitted.
    psi : float
        Population stability index of each grade against earlier sales of the same source.
    worse_error : float
        Mean squared log error may be larger by this share beyond its confidence limit.
    coverage : float
        What 90 % ranges must cover in every segment of 100 frozen sales.
    prd_low, prd_high, prb : float
        Equity, as the IAAO standard asks (2013, §5.6 and appendix B).
    median_move, median_move_anchor : float
        Median absolute movement of log price of the frozen stones.
    far_move, far_move_anchor : float
        The same, the 99th of a hundred.
    largest_move, largest_move_anchor : float
        The same, the largest.
    worst_error : float
        Root mean squared log error that a first model may have.
    """

    outlier_factor: float = 2.5
    most_quarantined: float = 0.10
    most_unsupported: float = 0.3
    most_unsupported_first: float = 0.6
    first_level: float = 5.0
    level_shift: float = 0.03
    level_shift_anchor: float = 0.05
    group_shift: float = 0.06
    largest_offset: float = 0.15
    psi: float = 0.25
    worse_error: float = 0.01
    coverage: float = 0.88
    prd_low: float = 0.98
    prd_high: float = 1.03
    prb: float = 0.05
    median_move: float = 0.03
    median_move_anchor: float = 0.05
    far_move: float = 0.15
    far_move_anchor: float = 0.20
    largest_move: float = 0.5
    largest_move_anchor: float = 0.6
    worst_error: float = 0.25

    @classmethod
    def from_toml(cls, text: str) -> "Gates":
        """Read the limits that differ from the defaults.

        Raises
        ------
        GatesError
            Naming what is wrong.
        """
        try:
            gates = msgspec.convert(tomllib.loads(text), cls, strict=False)
        except (ValueError, msgspec.ValidationError, RecursionError) as error:
            raise GatesError(f"gates.toml: {error}") from error
        for name, value in asdict(gates).items():
            if name == "outlier_factor" and value <= 1:
                raise GatesError(f"gates.toml: outlier_factor must be above 1, not {value}.")
            if name in _SHARES and value > 1:
                raise GatesError(
                    f"gates.toml: {name} is a share of 1, not {value:g}; for {value:g} per "
                    f"cent write {value / 100:g}."
                )
            if not 0 < value < 1000:
                raise GatesError(
                    f"gates.toml: {name} must be above 0 and below 1,000, not {value}."
                )
        if gates.prd_low >= gates.prd_high:
            raise GatesError("gates.toml: prd_low must be below prd_high.")
        return gates
