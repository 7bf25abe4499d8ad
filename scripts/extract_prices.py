"""How many prices rebuild the price list: what a key with the scope ``quote`` can take.

    python scripts/extract_prices.py

Somebody asks for prices of stones of their choosing and fits a model to the answers, which are
exact to the cent; here with our own families, the best that we know for the purpose. What it
then says of stones that were never asked for is held against the true prices.
"""

import numpy as np
import pandas as pd

from diamond_pricing import PriceModel, Stones, packaged_model
from diamond_pricing.errors import FitError
from diamond_pricing.fitting import fit

ASKED = (250, 1_000, 4_000, 16_000, 64_000)
CHECKED = 20_000
CELLS = 5_000  # of one price list over HTTP


def grades(model: PriceModel) -> dict[str, list[str]]:
    """The grades that a model knows."""
    return {name: list(model.training.grades[name]) for name in ("cut", "color", "clarity")}


def stones(model: PriceModel, n: int, seed: int) -> pd.DataFrame:
    """Stones that the model prices, without proportions, over all weights and grades."""
    chance = np.random.default_rng(seed)
    low, high = model.training.ranges["carat"]
    columns = {name: chance.choice(of, 3 * n) for name, of in grades(model).items()}
    columns["carat"] = np.exp(chance.uniform(np.log(low), np.log(high), 3 * n)).round(2)
    frame = pd.DataFrame(columns)
    return frame[model.supports(Stones.from_frame(frame))].head(n).reset_index(drop=True)


def prices(model: PriceModel, frame: pd.DataFrame) -> np.ndarray:
    """What is quoted: whole cents."""
    return model.itemise(Stones.from_frame(frame)).sum(axis=1) / 100


def main() -> None:
    """Print how near each number of prices comes."""
    model = packaged_model()
    unseen = stones(model, CHECKED, 1)
    truth = prices(model, unseen)
    low, high = model.training.ranges["carat"]
    weights = round(100 * (high - low)) + 1
    cells = weights * int(np.prod([len(known) for known in grades(model).values()]))
    print(f"{cells:,} cells of weight and grades: {-(-cells // CELLS)} price lists")
    print(f"{'asked':>7} {'family':>10} {'median %':>9} {'95th %':>7} {'within 1 %':>11}")
    for n in ASKED:
        asked = stones(model, n, 0)
        asked = asked.assign(price=prices(model, asked))
        for family in ("loglinear", "monotone"):
            try:
                copy = fit(asked, family)
                told = copy.price(Stones.from_frame(unseen), extrapolate=True)
            except FitError as error:
                print(f"{n:>7,} {family:>10} {str(error)[:60]}")
                continue
            off = 100 * np.abs(told / truth - 1)
            tail, near = np.quantile(off, 0.95), 100 * np.mean(off < 1)
            print(
                f"{n:>7,} {family:>10} {np.median(off):>9.2f} {tail:>7.2f} {near:>9.0f} %",
                flush=True,
            )


if __name__ == "__main__":
    main()
