"""Make ``diamond_pricing/stones/data/catalog.csv.xz`` from the PyPI package plotnine.

python scripts/extract_catalog.py        (needs plotnine 0.15.9 installed).
"""

import hashlib
import lzma
from importlib.resources import files
from pathlib import Path

from diamond_pricing.stones.catalog import SHA256

HERE = Path(__file__).resolve().parent.parent
TARGET = HERE / "diamond_pricing" / "stones" / "data" / "catalog.csv.xz"


def main() -> None:
    """Copy the table byte for byte, compressed."""
    text = files("plotnine.data").joinpath("diamonds.csv").read_bytes()
    found = hashlib.sha256(text).hexdigest()
    if found != SHA256:
        raise SystemExit(f"plotnine's table has the hash {found}, expected {SHA256}.")
    TARGET.write_bytes(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    print(f"{TARGET.relative_to(HERE)}: {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
