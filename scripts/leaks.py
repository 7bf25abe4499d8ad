"""Look for what must not be published: keys, hosts of registries, paths of a machine.

``python -m scripts.leaks`` looks through the files that git knows, ``--history`` through every
object that any branch or tag reaches, messages of commits too. Prints what it finds, without
the secret, and exits with 1.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LEAKS = {
    "a key of a server of ours": rb"\bdp_[0-9a-f]{12}_[A-Za-z0-9_-]{43}",
    "a private key": rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY",
    "a key of AWS": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a token of GitHub": rb"\b(?:gh[oprsu]_[A-Za-z0-9]{36}|github_pat_\w{22})",
    "a token of Slack": rb"\bxox[abeprs]-[A-Za-z0-9-]{10}",
    "a token of a registry": rb"\b(?:pypi-AgE[A-Za-z0-9_-]{20}|npm_[A-Za-z0-9]{36}\b)",
    "a signed token": rb"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10}",
    "a password in an address": rb"\b[a-z][a-z0-9+]{2,}://[\w.-]+:[\w.%!-]+@",
    "the host of a registry": (
        rb"\b(?:pypi\.org|pythonhosted\.org|registry\.npmjs\.(?:org|com)|deb\.debian\.org"
        rb"|proxy\.golang\.org|static\.crates\.io)\b"
    ),
    "a path of a machine": rb"(?<![\w.~/$})-])/(?:tmp|work|root|home|Users)/[\w.]",
}


class Leak(NamedTuple):
    """Where something was found, and what it is; the secret itself is not repeated."""

    place: str
    line: int
    kind: str


def leaks(place: str, data: bytes) -> Iterator[Leak]:
    """Yield what is found in some bytes."""
    for kind, pattern in LEAKS.items():
        for found in re.finditer(pattern, data):
            yield Leak(place, data.count(b"\n", 0, found.start()) + 1, kind)


def tree() -> Iterator[tuple[str, bytes]]:
    """Yield the files that git knows, as they are now."""
    for name in _git("ls-files", "-z").decode().split("\0"):
        if name and (ROOT / name).is_file():
            yield name, (ROOT / name).read_bytes()


def history() -> Iterator[tuple[str, bytes]]:
    """Yield every file that ever was, once, and every commit."""
    known = {}
    for line in _git("rev-list", "--objects", "--all").decode().splitlines():
        name, _, path = line.partition(" ")
        known[name] = path
    answer = _git("cat-file", "--batch", given="\n".join(known).encode())
    at = 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        name, kind, size = answer[at:end].decode().split()
        at = end + 1 + int(size)
        if kind != "tree":
            yield f"{name[:12]} {known[name] or kind}", answer[end + 1 : at]
        at += 1


def looked(through: Iterable[tuple[str, bytes]]) -> list[Leak]:
    """Return everything that is found."""
    return [leak for place, data in through for leak in leaks(place, data)]


def _git(*words: str, given: bytes | None = None) -> bytes:
    command = ["git", *words]
    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, check=True)  # noqa: S603  ours
    return done.stdout


def main() -> None:
    """Look through the tree, or through all of history."""
    found = looked(history() if "--history" in sys.argv[1:] else tree())
    for leak in found:
        print(f"{leak.place}:{leak.line}: {leak.kind}")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
