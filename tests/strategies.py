"""Stones that hypothesis makes: plausible, and within what the packaged sales cover."""

from hypothesis import strategies as st

from diamond_pricing import Stone
from diamond_pricing.stones.checks import expected_diameter

CUTS = ("Fair", "Good", "Very Good", "Premium", "Ideal")
COLORS = tuple("JIHGFED")
CLARITIES = ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF")


@st.composite
def stones(draw: st.DrawFn, lightest: float = 0.3, heaviest: float = 3.0) -> Stone:
    """A stone with any subset of its measurements, which agree with each other."""
    carat = draw(st.integers(round(lightest * 100), round(heaviest * 100))) / 100
    depth = draw(st.floats(58, 66).map(lambda v: round(v, 1)))
    diameter = float(expected_diameter(carat, depth))
    x = round(diameter * draw(st.floats(0.985, 1.015)), 2)
    y = round(diameter * draw(st.floats(0.985, 1.015)), 2)
    measures = {
        "depth": depth,
        "table": draw(st.integers(53, 64)) * 1.0,
        "x": x,
        "y": y,
        "z": round(depth / 100 * (x + y) / 2, 2),
    }
    given_ = {name: v for name, v in measures.items() if draw(st.booleans())}
    grades = [draw(st.sampled_from(scale)) for scale in (CUTS, COLORS, CLARITIES)]
    return Stone(carat, *grades, **given_)


listings = st.sampled_from(["blend", "recorded", "x<y", "x>y"])
