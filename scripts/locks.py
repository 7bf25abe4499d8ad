"""The locks, read."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted(ROOT.glob("requirements*.lock"))
PINNED = re.compile(r"^([\w.-]+)==(\S+)(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


def canonical(name: str) -> str:
    """Return a package's name as indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: Path) -> dict[str, set[str]]:
    """Return versions by name: more than one where Pythons or systems differ."""
    found: dict[str, set[str]] = {}
    for name, version, _ in PINNED.findall(lock.read_text()):
        found.setdefault(canonical(name), set()).add(version)
    return found


def hashes(lock: Path) -> dict[tuple[str, str], list[str]]:
    """Return the SHA-256 of each file that may be installed, by name and version."""
    return {
        (canonical(name), version): re.findall(r"--hash=sha256:([0-9a-f]{64})", rest)
        for name, version, rest in PINNED.findall(lock.read_text())
    }


def parents(lock: Path) -> dict[str, set[str]]:
    """Return what asks for each package."""
    found: dict[str, set[str]] = {}
    for name, _, rest in PINNED.findall(lock.read_text()):
        via = rest.partition("# via")[2]
        asking = re.findall(r"^\s*#?\s*([\w.-]+)(?: \(\S+\))?$", via, re.MULTILINE)
        found.setdefault(canonical(name), set()).update(canonical(one) for one in asking)
    return found
