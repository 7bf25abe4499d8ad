"""Write the last table of docs/reference/licences.md: every locked package and its licence.

``python -m scripts.licences SITE_PACKAGES...`` reads the licences from the metadata of what is
installed there; what the page says by hand comes first. Run by ``make licences``.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions

from scripts.locks import ROOT, canonical, parents

PAGE = ROOT / "docs" / "reference" / "licences.md"
# The first of these that brings a package is named.
BRINGERS = [
    "pricing",
    "fit",
    "refit",
    "api",
    "report",
    "postgres",
    "cloud",
    "scale",
    "spark",
    "docs",
    "bench",
]
# What people wrote before metadata had SPDX expressions.
SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 3-Clause": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
}
_ROW = re.compile(r"^\| ([^|\n]+) \| ([^|\n]+) \| ([^|\n]+) \|$", re.MULTILINE)


def section(title: str) -> str:
    """Return what the page has under a heading."""
    found = re.search(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S
    )
    if found is None:
        raise SystemExit(f"{PAGE.name} has no heading {title!r}.")
    return found[1]


def rows(title: str) -> dict[str, tuple[str, str]]:
    """Return the second and third column under a heading, by the first."""
    _, *found = _ROW.findall(section(title))  # below its head
    return {name: (second, third) for name, second, third in found}


def allowed(licence: str) -> bool:
    """Tell whether an SPDX expression asks for nothing that the page does not allow."""
    free = set(re.findall(r"`([^`]+)`", section("Allowed")))
    # Where brackets nest this asks for more than the expression, never for less.
    return all(
        any(one.strip(" ()") in free for one in either.split(" OR "))
        for either in licence.split(" AND ")
    )


def stated(found: Distribution) -> str | None:
    """Return the licence that a package's metadata states, in SPDX's words, if it does."""
    head = found.metadata
    if head["License-Expression"]:
        return str(head["License-Expression"])
    told = [
        line.rpartition(" :: ")[2]
        for line in head.get_all("Classifier", [])
        if line.startswith("License :: OSI Approved :: ")
    ]
    given = sorted({SPELLINGS[one] for one in told if one in SPELLINGS})
    if given:
        return " OR ".join(given)
    word = str(head["License"] or "").strip()
    return SPELLINGS.get(word, word if re.fullmatch(r"[A-Za-z0-9.-]+", word) else None)


def brought(roots: Iterable[str], asked: dict[str, set[str]]) -> set[str]:
    """Return the packages of a lock that stand under some of its own."""
    found: set[str] = set()
    more = set(roots)
    while more:
        found |= more
        more = {name for name, by in asked.items() if by & more} - found
    return found & set(asked)


def packages() -> dict[str, str]:
    """Return all packages that the locks name, with what brings each."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = told["project"]["optional-dependencies"]
    asked = parents(ROOT / "requirements.lock")
    found: dict[str, str] = {}
    for bringer in [*BRINGERS, *sorted(set(extras) - set(BRINGERS))]:
        given = extras[bringer] if bringer != "pricing" else told["project"]["dependencies"]
        roots = {canonical(re.split(r"[^\w.-]", one)[0]) for one in given}
        for name in brought(roots - {"diamond-pricing"}, asked):
            found.setdefault(name, bringer)
    for group in told["dependency-groups"]:
        for name in parents(ROOT / f"requirements-{group}.lock"):
            found.setdefault(name, group)
    return found


def licences(found: Iterable[Distribution]) -> Iterator[tuple[str, str]]:
    """Yield the licences that metadata states, by package."""
    for one in found:
        licence = stated(one)
        if licence:
            yield canonical(one.metadata["Name"]), licence


def by_hand() -> dict[str, str]:
    """Return the licences that the page states by hand."""
    return {
        name: licence
        for title in ("Other licences, and why they do no harm", "Read by hand")
        for name, (licence, _) in rows(title).items()
    }


def table(paths: list[str]) -> str:
    """Return the table of all packages."""
    # Where two environments hold a package, the first says.
    known: dict[str, str] = {}
    for path in reversed(paths):
        known |= licences(distributions(path=[path]))
    known |= by_hand()
    all_of_them = packages()
    missing = sorted(set(all_of_them) - set(known))
    if missing:
        raise SystemExit(f"No licence is known of: {', '.join(missing)}.")
    lines = [
        f"| {name} | {known[name]} | {all_of_them[name]} |" for name in sorted(all_of_them)
    ]
    return "\n".join(["| package | licence | comes with |", "|---|---|---|", *lines])


def main() -> None:
    """Write the table of all packages anew."""
    head = PAGE.read_text().partition("## Every package")[0]
    PAGE.write_text(f"{head}## Every package\n\n{table(sys.argv[1:])}\n")


if __name__ == "__main__":
    main()
