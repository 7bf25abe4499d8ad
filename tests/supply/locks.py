"""The locks, read."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LOCKS = sorted(ROOT.glob("requirements*.lock"))
PINNED = re.compile(r"^([\w.-]+)==(\S+)(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: Path) -> dict[str, set[str]]:
    """Versions by name: more than one where Pythons or systems differ."""
    found: dict[str, set[str]] = {}
    for name, version, _ in PINNED.findall(lock.read_text()):
        found.setdefault(canonical(name), set()).add(version)
    return found
