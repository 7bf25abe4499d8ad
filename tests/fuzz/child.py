"""One target under libFuzzer, in a process of its own: libFuzzer ends the process it runs in.

Arguments: name of the target, folder for crashes, then those of libFuzzer.
"""

import hashlib
import random
import sys
import traceback
from pathlib import Path

import atheris

# With the parsers in Python that ours stand on, which are followed too.
with atheris.instrument_imports(include=["diamond_pricing", "tomllib", "yaml"]):
    from tests.fuzz.targets import TARGETS, quiet

STRUCTURED = 0.6  # share of the changes that a target makes itself, where it can


class Findings:
    """Keeps the first input of each crash, told apart by kind and place."""

    def __init__(self, name: str, folder: Path) -> None:
        self.target, self.folder = TARGETS[name], folder
        self.target.warm()
        self.seen: set[tuple[str, str, int | None]] = set()

    def feed(self, data: bytes) -> None:
        """Run one input and go on whatever it does."""
        try:
            self.target.feed(data)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            ours = [f for f in frames if "diamond_pricing" in f.filename] or list(frames)
            at = (type(error).__name__, ours[-1].filename, ours[-1].lineno)
            if at in self.seen:
                return
            self.seen.add(at)
            name = f"crash-{self.target.name}-{hashlib.sha256(data).hexdigest()[:12]}"
            (self.folder / name).write_bytes(data)
            print(
                f"CRASH {name}: {at[0]} in {Path(at[1]).name}:{at[2]}: {str(error)[:200]!r}",
                file=sys.stderr,
            )

    def change(self, data: bytes, most: int, seed: int) -> bytes:
        """Change an input, in its structure or byte by byte."""
        rng = random.Random(seed)
        if self.target.mutate is not None and rng.random() < STRUCTURED:
            return self.target.mutate(bytes(data), rng)[:most]
        found: bytes = atheris.Mutate(data, most)
        return found


def main() -> None:
    """Fuzz."""
    name, folder, *options = sys.argv[1:]
    quiet()
    findings = Findings(name, Path(folder))
    atheris.Setup([sys.argv[0], *options], findings.feed, custom_mutator=findings.change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
