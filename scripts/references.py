"""The pages of the reference that follow from the code, and the drawings from their sources.

    python -m scripts.references [--check]

writes docs/reference/commands.md, http.md and codes.md, the picture of the README, the drawing
of the house, and an SVG beside each docs/**/*.dot (Graphviz's `dot`, where it is installed).
With --check nothing is written, and what is not as it should be is named.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import msgspec

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PACKAGE = "diamond_pricing"


def commands() -> str:
    """Every command with its options, from the command line itself."""
    from diamond_pricing.cli import cli

    parts = [
        "# The command line",
        "What `diamond-pricing COMMAND --help` says, in one place. Every command ends with 0 "
        "when it did what was asked; other codes are [listed](codes.md#exit-codes). Options "
        "with a variable in brackets can be set by it.",
    ]
    for name, command in _leaves(cli, ()):
        parts += [f"## {name}", _told(command)]
    return "\n\n".join(parts) + "\n"


def _leaves(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from _leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def _told(command: click.Command) -> str:
    paragraphs = [_plain(p) for p in (command.help or "").split("\n\n")]
    rows, arguments = [], []
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            names = ", ".join(f"`{o}`" for o in (*parameter.opts, *parameter.secondary_opts))
            if not (parameter.is_flag or parameter.count):
                choices = getattr(parameter.type, "choices", None)
                kind = "\\|".join(map(str, choices)) if choices else parameter.type.name
                names += f" {kind.removesuffix(' range')}"
            said = _plain(parameter.help or "")
            given = parameter.to_info_dict()["default"]
            if given not in (None, "", False, (), []) and "efault" not in said:
                several = given if isinstance(given, list | tuple) else [given]
                said += f" Default: {', '.join(map(str, several))}."
            if parameter.required:
                said += " Required."
            if parameter.envvar:
                said += f" [`{parameter.envvar}`]"
            rows.append(f"| {names} | {said} |")
        elif isinstance(parameter, click.Argument):
            arguments.append(parameter.make_metavar(click.Context(command)))
    parts = [*paragraphs]
    if arguments:
        parts.append("Arguments: " + ", ".join(f"`{a}`" for a in arguments) + ".")
    if rows:
        parts.append(_table("| option | |", rows))
    if command.epilog:
        line = _plain(command.epilog).removeprefix("Example:").strip()
        parts.append(f"Example: `{line}`")
    return "\n\n".join(parts)


def _table(head: str, rows: list[str]) -> str:
    return "\n".join([head, "|" + "---|" * (head.count("|") - 1), *rows])


def _plain(text: str) -> str:
    return " ".join(text.replace("\b", "").split()).replace("|", "\\|")


def http() -> str:
    """Every operation and message of the API, from its OpenAPI description."""
    description = _openapi()
    parts = [
        "# HTTP",
        "From the description that a server gives at `/openapi.json` and lets you try at "
        "`/docs`. [Use the API](../how-to/use-the-api.md) shows it at work; errors are listed "
        "[here](codes.md#errors-over-http).",
        "## Operations",
    ]
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            parts.append(f"### {method.upper()} {path}")
            summary = operation["summary"].removesuffix(".")
            parts.append(summary if summary.endswith("?") else f"{summary}.")
            parts += [
                _lines(p) for p in operation.get("description", "").split("\n\n") if p.strip()
            ]
            given = [p for p in operation.get("parameters", []) if "name" in p]
            if given:
                rows = [
                    f"| `{p['name']}` | {p['in']} | {_kind(p['schema'])} | "
                    f"{_lines(p.get('description', ''))} |"
                    for p in given
                ]
                parts.append(_table("| parameter | in | is | |", rows))
            body = operation.get("requestBody", {}).get("content", {})
            if body:
                parts.append(f"Body: {_contents(body)}.")
            for status, answer in operation["responses"].items():
                if "$ref" not in answer:
                    content = _contents(answer.get("content", {}))
                    parts.append(f"Answer {status}: {content or 'no body'}.")
    parts.append("## Messages")
    for name, schema in sorted(description["components"]["schemas"].items()):
        parts.append(f"### {name}")
        if schema.get("description"):
            parts.append(_lines(schema["description"].split("\n\n")[0]))
        needed = set(schema.get("required", []))
        rows = [
            f"| `{field}`{'' if field in needed else ' (optional)'} | {_kind(of)} | "
            f"{_lines(of.get('description', ''))} |"
            for field, of in schema.get("properties", {}).items()
        ]
        parts.append(_table("| field | is | |", rows))
    return "\n\n".join(parts) + "\n"


def _openapi() -> dict[str, Any]:
    from litestar.testing import TestClient

    from diamond_pricing.web.app import create_app
    from diamond_pricing.web.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        with TestClient(create_app(Settings(data=Path(folder)))) as client:
            answer = client.get("/openapi.json", headers={"Host": "127.0.0.1"})
        answer.raise_for_status()
    found: dict[str, Any] = msgspec.json.decode(answer.content)
    return found


def _lines(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("``", "`")


def _contents(content: dict[str, Any]) -> str:
    return ", ".join(
        f"{media} {_kind(of.get('schema', {}))}".strip() for media, of in content.items()
    )


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "oneOf" in schema or "anyOf" in schema:
        return " or ".join(_kind(s) for s in schema.get("oneOf") or schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "")
    if kind == "array":
        return f"array of {_kind(schema.get('items', {}))}"
    limits = [
        f"{words} {schema[key]:g}"
        for key, words in (
            ("minimum", "from"),
            ("exclusiveMinimum", "above"),
            ("maximum", "to"),
            ("exclusiveMaximum", "below"),
        )
        if key in schema
    ]
    return " ".join([str(kind), *limits])


def codes() -> str:
    """Exit codes, reasons and errors, from where the code keeps them."""
    from diamond_pricing import errors
    from diamond_pricing.cli.home import CODES
    from diamond_pricing.model import verdict
    from diamond_pricing.web.problems import TITLES

    exits = [(0, "done; for `refit`: promoted")]
    exits += [(code, f"`refit`: {name}") for name, code in CODES.items() if code]
    exits += [(1, "a server ended without being asked to")]
    exits += [(2, "an error in the words or the data, told on standard error in one line")]
    exits += [(130, "stopped by Ctrl-C; what is written in one piece is whole or not there")]
    titles = [f"| `{code}` | {status} | {title} |" for code, (status, title) in TITLES.items()]
    parts = [
        "# Codes",
        "All of them are stable: a code may be added, none changes its meaning.",
        "## Exit codes",
        _table("| code | means |", [f"| {c} | {w} |" for c, w in sorted(exits)]),
        "## Verdicts",
        "A stone is `priced`, `priced_with_caution` or `declined`; the reasons are the same in "
        "the library (`PriceModel.assess`), on the command line, in scored files, in SQL and "
        "over HTTP.",
        f"```text\n{(verdict.__doc__ or '').split(chr(10) + chr(10), 2)[2].strip()}\n```",
        "A row of a table, scored or sent as a batch, is also refused with `shape_not_priced` "
        "or `origin_not_priced`, where a column gives a shape or origin that the model does "
        "not price.",
        "## Errors over HTTP",
        "Every error is a problem document (RFC 9457) with one of these as its `code`. "
        "Declined stones carry the reason above where there is a single one.",
        _table("| code | status | title |", titles),
        "## Errors in Python",
        f"```text\n{(errors.__doc__ or '').split(chr(10) + chr(10), 1)[1].strip()}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def house() -> str:
    """The floors of the import contract, and who imports whom, for Graphviz."""
    import grimp

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    contract = next(c for c in settings["contracts"] if c["type"] == "layers")
    floors = [re.findall(r"\w+", layer) for layer in contract["layers"]]
    graph = grimp.build_graph(PACKAGE)
    lines = [
        "digraph house {",
        '  graph [rankdir=TB, nodesep=0.35, ranksep=0.45, fontname="Helvetica"]',
        '  node [shape=box, style="rounded,filled", fillcolor="#eaf1f6", color="#1f6f9f",',
        '        fontname="Helvetica", fontsize=13, height=0.4]',
        '  edge [color="#8a97a5", arrowsize=0.6]',
    ]
    level = {name: i for i, floor in enumerate(floors) for name in floor}
    for floor in floors:
        lines.append("  {rank=same; " + "; ".join(floor) + "}")
    for above, below in pairwise(floors):
        lines.append(f"  {above[0]} -> {below[0]} [style=invis, weight=9]")
    edges = {
        (by, to)
        for by in level
        for to in level
        if level[by] < level[to]
        and graph.find_shortest_chain(f"{PACKAGE}.{by}", f"{PACKAGE}.{to}", as_packages=True)
    }
    # What is reached over another floor as well is left out, or the drawing is a thicket.
    direct = {
        (by, to)
        for by, to in edges
        if not any((by, via) in edges and (via, to) in edges for via in level)
    }
    lines += [f"  {by} -> {to}" for by, to in sorted(direct)]
    return "\n".join([*lines, "}"]) + "\n"


def picture() -> str:
    """A real explanation, drawn, for the README."""
    from diamond_pricing import Stone, packaged_model
    from diamond_pricing.exhibits import waterfall

    svg = waterfall(packaged_model().explain(Stone(1.01, "Ideal", "E", "VS1"))).svg
    assert svg is not None
    # Outside of a page it brings its own letters and its own ground.
    return (
        svg.replace('font-family="inherit"', 'font-family="Helvetica, Arial, sans-serif"')
        .replace("<title>", '<rect width="100%" height="100%" fill="#fff"/><title>', 1)
        .strip()
        + "\n"
    )


TEXTS = {
    DOCS / "reference" / "commands.md": commands,
    DOCS / "reference" / "http.md": http,
    DOCS / "reference" / "codes.md": codes,
    DOCS / "explanation" / "house.dot": house,
    DOCS / "static" / "explanation.svg": picture,
}


def mark(source: str) -> str:
    """What a drawing carries of its source, to tell whether it is drawn from this one."""
    digest = hashlib.sha256(source.encode()).hexdigest()
    return f"<!-- drawn from a source with SHA-256 {digest} -->"


def drawn(source: Path) -> str:
    """The SVG of a Graphviz source."""
    done = subprocess.run(  # noqa: S603  on a file of this project
        ["dot", "-Tsvg", str(source)],  # noqa: S607  wherever it is installed
        capture_output=True,
        text=True,
        check=True,
    )
    svg = re.sub(r"<!--.*?-->\n?|<\?xml.*?\?>\n?|<!DOCTYPE.*?>\n?", "", done.stdout, flags=re.S)
    return f"{svg.strip()}\n{mark(source.read_text())}\n"


def faults() -> list[str]:
    """What is not as the code and the sources have it."""
    found = [
        f"{file.relative_to(ROOT)} is not what the code says"
        for file, made in TEXTS.items()
        if not file.exists() or file.read_text() != made()
    ]
    for source in sorted(DOCS.glob("**/*.dot")):
        svg = source.with_suffix(".svg")
        if not svg.exists() or mark(source.read_text()) not in svg.read_text():
            found.append(f"{svg.relative_to(ROOT)} is not drawn from {source.name}")
    return found


def main() -> None:
    """Write what follows from the code, or say what does not."""
    if "--check" in sys.argv[1:]:
        found = faults()
        sys.exit("\n".join([*found, "make references renews them."]) if found else 0)
    for file, made in TEXTS.items():
        file.write_text(made())
    if not shutil.which("dot"):
        sys.exit("Graphviz is not installed (apt-get install graphviz): nothing was drawn.")
    for source in sorted(DOCS.glob("**/*.dot")):
        source.with_suffix(".svg").write_text(drawn(source))


if __name__ == "__main__":
    main()
