"""Fuzz the parsers: ``python -m tests.fuzz.run TARGET … --runs N --seconds S``.

Each target goes on until it has had so many inputs or so much time. Inputs that led further
into the code stay in the corpus, those that crashed in ``crashes`` beside it; a table says
what became of each target.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.http import QUICK
from tests.fuzz.mutations import LONGEST
from tests.fuzz.targets import TARGETS

ATTEMPTS = 20  # of a target whose process ends by itself, as by a signal
TIMEOUT, MEMORY = 30, 3072  # seconds and MB at which libFuzzer itself ends an input
_LINE = re.compile(r"#(\d+)\s+\S+.*?cov: (\d+)")
_EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


@dataclass
class Outcome:
    """What became of a target.

    Attributes
    ----------
    name : str
    executions : int
    seconds : float
    edges : int
        Of our code that were reached.
    crashes : list[str]
        Files that hold the inputs.
    """

    name: str
    executions: int = 0
    seconds: float = 0.0
    edges: int = 0
    crashes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rate = self.executions / max(self.seconds, 0.001)
        return (
            f"| {self.name} | {self.executions:,} | {self.seconds:,.0f} | {rate:,.0f} "
            f"| {self.edges:,} | {len(self.crashes)} |"
        )


HEAD = (
    "| target | executions | seconds | a second | edges | crashes |\n|---|--:|--:|--:|--:|--:|"
)


def fuzz(name: str, runs: int, seconds: float, folder: Path) -> Outcome:
    """Fuzz one target."""
    corpus, crashes = folder / name, folder / "crashes"
    corpus.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(exist_ok=True)
    target = TARGETS[name]
    seeds = target.seeds()
    for i, seed in enumerate(seeds):
        (corpus / f"seed-{i:02d}").write_bytes(seed)
    most = max(LONGEST, 2 * max(map(len, seeds)))
    outcome = Outcome(name)
    before = set(crashes.iterdir())
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dp-fuzz-", dir=QUICK) as scratch:
        words = Path(scratch) / "words"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words or ("x",)))
        for _ in range(ATTEMPTS):
            left = seconds - (time.monotonic() - began)
            if outcome.executions >= runs or left < 1:
                break
            ended = _child(
                outcome,
                scratch,
                name,
                str(crashes),
                str(corpus),
                f"-dict={words}",
                f"-max_len={most}",
                f"-runs={runs - outcome.executions}",
                f"-max_total_time={int(left)}",
                f"-timeout={TIMEOUT}",
                f"-rss_limit_mb={MEMORY}",
                "-print_final_stats=1",
                f"-artifact_prefix={crashes}/{name}-",
            )
            if ended == 0:
                break
    outcome.seconds = time.monotonic() - began
    outcome.crashes = sorted(str(file) for file in set(crashes.iterdir()) - before)
    return outcome


def _child(outcome: Outcome, scratch: str, name: str, crashes: str, *options: str) -> int:
    """Run libFuzzer once and count what it did; its exit code.

    It ends without tidying up, so that what it writes must lie in ``scratch``.
    """
    environment = {**os.environ, "TMPDIR": scratch}
    command = [sys.executable, "-m", "tests.fuzz.child", name, crashes, *options]
    before, count = outcome.executions, 0
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, errors="replace", env=environment
    ) as child:
        assert child.stderr is not None
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(child.terminate()))
        for line in child.stderr:
            if found := _LINE.match(line):
                count, outcome.edges = int(found[1]), max(outcome.edges, int(found[2]))
            elif found := _EXECUTED.match(line):
                count = int(found[1])
            elif not line.startswith(("INFO:", "Done ", "stat::", "WARNING:", "#")):
                print(line.rstrip(), file=sys.stderr, flush=True)
            outcome.executions = before + count
    return child.returncode


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


def main(arguments: list[str] | None = None) -> int:
    """Fuzz the targets that are named, or all; 1 when something crashed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--runs", type=int, default=5_000_000, help="inputs a target")
    parser.add_argument("--seconds", type=float, default=1800, help="and at most so long")
    parser.add_argument(
        "--corpus", type=Path, default=Path("fuzz"), help="folder to keep them in"
    )
    given = parser.parse_args(arguments)
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"there is no target {sorted(unknown)[0]}; choose {', '.join(TARGETS)}")
    table = [HEAD]
    crashed = False
    print(HEAD, flush=True)
    for name in given.targets or TARGETS:
        outcome = fuzz(name, given.runs, given.seconds, given.corpus)
        table.append(str(outcome))
        (given.corpus / "table.md").write_text("\n".join(table) + "\n")
        print(outcome, flush=True)
        for crash in outcome.crashes:
            print(f"  {crash}", flush=True)
        crashed = crashed or bool(outcome.crashes)
    return int(crashed)


if __name__ == "__main__":
    sys.exit(main())
