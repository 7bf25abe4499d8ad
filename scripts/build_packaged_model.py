"""Make ``diamond_pricing/model/data/packaged.json``: the small model that ships.

python scripts/build_packaged_model.py
"""

from pathlib import Path

from diamond_pricing import load_sales
from diamond_pricing.cli.arithmetic import alike
from diamond_pricing.fitting import fit

HERE = Path(__file__).resolve().parent.parent
TARGET = HERE / "diamond_pricing" / "model" / "data" / "packaged.json"


def main() -> None:
    """Fit the default model to the packaged sales."""
    alike()
    model = fit(load_sales())
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(model.to_json(), encoding="utf-8", newline="\n")
    print(f"{TARGET.relative_to(HERE)}: {TARGET.stat().st_size:,} bytes, {model}")


if __name__ == "__main__":
    main()
