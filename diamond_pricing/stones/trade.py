"""The trade: which attributes a stone has, as a document that anybody can add to.

``trade.toml`` in this folder lists what grading reports and stock lists record. Command line,
checks, forms, documents and errors read the list; an attribute that a file adds is known to
all of them. There is one list in a process: what is added to it, by `use` or by a model's
document, stays.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import date
from importlib import resources
from itertools import product
from os import PathLike
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import msgspec

from diamond_pricing.errors import TradeError
from diamond_pricing.stones.attributes import FREE, RISING, Attribute, Day, Grade, Measure, fold

MEASURE, ORDERED, CATEGORY, DATE = "measure", "ordered", "category", "date"
FOUR_CS = ("carat", "cut", "color", "clarity")
DIMENSIONS = ("depth", "table", "x", "y", "z")
MAGIC_LINE = "magic"
LIKE_LINE = "like_sales"  # of no attribute; always the last
_NAME = r"^[a-z][a-z0-9_]{0,39}$"
# What these words mean already: to a stone, to arithmetic, in answers.
_TAKEN = frozenset(
    [
        "given",
        "problems",
        "parse",
        "others",
        "log",
        "sqrt",
        "exp",
        "min",
        "max",
        "magic",
        "price",
        "identity",
        "reference",
        "id",
        "model",
        "level",
        "language",
        "status",
        "code",
        "error",
        "row",
        "low",
        "high",
    ]
)
_MOST = 200  # attributes


class Entry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One attribute, as it is written down; see ``trade.toml``."""

    name: str
    label: str = ""
    kind: str = ""
    unit: str = ""
    low: float | date | None = None
    high: float | date | None = None
    grades: list[str] = []
    required: bool = False
    line: str = ""
    ungraded: str = ""
    direction: str = FREE
    of_shape: bool = False
    aliases: str = ""
    spellings: dict[str, str] = {}
    candidates: dict[str, list[str]] = {}
    scales: dict[str, list[str]] = {}
    middle: str = ""
    labels: dict[str, str] = {}


class Document(msgspec.Struct, forbid_unknown_fields=True):
    """A trade as it is written down."""

    attribute: list[Entry] = []
    name: str = ""
    weight: str = "carat"
    lines: dict[str, str] = {}


T = TypeVar("T", bound=Attribute)


class Kept(Sequence[T], Generic[T]):
    """Some of the attributes of the trade, as it is now."""

    def __init__(self) -> None:
        self.items: tuple[T, ...] = ()

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: Any) -> Any:
        return self.items[place]


_every: dict[str, Attribute] = {}
_entries: dict[str, Entry] = {}
_names: dict[str, str] = {}
_lines: dict[str, str] = {}
_line_labels: dict[str, str] = {}

ATTRIBUTES: Mapping[str, Attribute] = MappingProxyType(_every)
# The lines of an explanation, in the order in which a client reads them. Weight has two: what
# it costs carat by carat, and the jumps at the weights that sellers cut to.
LINES: Mapping[str, str] = MappingProxyType(_lines)
# What every stone and most grading reports have; the columns that any batch of stones holds.
MEASURES: Kept[Measure] = Kept()
GRADES: Kept[Grade] = Kept()
# What else the trade records; a batch of stones holds those that it was given.
OTHERS: Kept[Attribute] = Kept()


def use(trade: str | PathLike[str] | Mapping[str, Any]) -> tuple[str, ...]:
    """Add attributes to the trade of this process, or change those that it has.

    Parameters
    ----------
    trade : str, Path or Mapping
        A TOML file as ``trade.toml``, its text, or the same as plain values. An entry of a
        name that is known changes what it says and keeps the rest.

    Returns
    -------
    tuple[str, ...]
        Names of the attributes that were added or changed.

    Raises
    ------
    TradeError
        For a file that cannot be read, or an entry that makes no sense; it is named.
    """
    document, where = _read(trade)
    entries, names = dict(_entries), []
    for given in document.attribute:
        known = entries.get(given.name)
        merged = given if known is None else _merged(known, given)
        if known is None or msgspec.to_builtins(merged) != msgspec.to_builtins(known):
            names.append(given.name)
        entries[given.name] = merged
    labels = _line_labels | document.lines
    if not names and labels == _line_labels:
        return ()
    _set(entries, labels, where)
    return tuple(names)


def add_missing(entries: Sequence[Mapping[str, Any]]) -> None:
    """Add attributes of a model's document that the trade of this process lacks.

    Raises
    ------
    TradeError
        For an attribute that the trade knows otherwise: of another kind, or with other grades.
    """
    fresh = []
    for given in _read({"attribute": list(entries)})[0].attribute:
        known = _entries.get(given.name)
        if known is None:
            fresh.append(msgspec.to_builtins(given))
        elif (
            given.kind == known.kind
            and len(given.grades) > len(known.grades)
            # Better ones alone: a grade between two others would move those of stones at hand.
            and given.grades[: len(known.grades)] == known.grades
        ):
            fresh.append(
                {"name": given.name, "grades": given.grades, "spellings": given.spellings}
            )
        elif given.kind != known.kind or not set(given.grades) <= set(known.grades):
            raise TradeError(
                f"the model's {given.name} is another than that of the trade: "
                f"{given.kind} {', '.join(given.grades)}. Add its grades to the trade."
            )
    if fresh:
        use({"attribute": fresh})


def entries_of(names: Set[str], grades: Mapping[str, Set[str]]) -> tuple[dict[str, Any], ...]:
    """Entries of some attributes as plain values that `use` reads, in the trade's order.

    Those that every trade has only where ``grades`` has more than ``trade.toml`` gives them.
    """
    packaged = {entry.name: set(entry.grades) for entry in PACKAGED.attribute}
    core = {*FOUR_CS, *DIMENSIONS, "listing"}
    return tuple(
        msgspec.to_builtins(entry)
        for name, entry in _entries.items()
        if (name in names if name not in core else grades.get(name, set()) - packaged[name])
    )


def written() -> str:
    """The trade of this process as TOML."""
    text = [f'name = {json.dumps(PACKAGED.name)}\nweight = "carat"\n']
    text.append(f"[lines]\n{_toml_lines(_line_labels)}\n")
    for entry in _entries.values():
        values = msgspec.to_builtins(entry, builtin_types=(date,))
        text.append(f"[[attribute]]\n{_toml_lines(values)}\n")
    return "\n".join(text)


def added() -> str:
    """What this process has added to ``trade.toml``, as `use` reads it; empty for nothing."""
    packaged = {entry.name: entry for entry in PACKAGED.attribute}
    entries = [e for name, e in _entries.items() if e != packaged.get(name)]
    if not entries:
        return ""
    text = [f"[lines]\n{_toml_lines(_line_labels)}"] if _line_labels else []
    for entry in entries:
        text.append(
            "[[attribute]]\n" + _toml_lines(msgspec.to_builtins(entry, builtin_types=(date,)))
        )
    return "\n".join(text) + "\n"


def _toml_lines(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{key} = {_toml(value)}" for key, value in values.items())


def date_of_sale() -> str:
    """The date that prices go by, the first of the trade; further ones are only kept."""
    return next((a.name for a in OTHERS if isinstance(a, Day)), "")


def priced_by() -> list[Attribute]:
    """What a price may go by beside the core: all but dates other than that of the sale."""
    sold = date_of_sale()
    return [a for a in OTHERS if not isinstance(a, Day) or a.name == sold]


def graded(name: str) -> Grade:
    """The attribute of a name that is known to be a grade."""
    grade = ATTRIBUTES[name]
    assert isinstance(grade, Grade)
    return grade


def attribute_named(word: str) -> str | None:
    """Give the attribute that a column header or option means; None if it means none."""
    return _names.get(fold(word))


def _toml(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        pairs = (f"{json.dumps(k, ensure_ascii=False)} = {_toml(v)}" for k, v in value.items())
        return f"{{ {', '.join(pairs)} }}"
    return json.dumps(value, ensure_ascii=False)


def _read(trade: str | PathLike[str] | Mapping[str, Any]) -> tuple[Document, str]:
    where = "the trade"
    try:
        if isinstance(trade, Mapping):
            return msgspec.convert(trade, Document), where
        text = trade
        if not isinstance(trade, str) or (trade and not set("\n=") & set(trade)):
            where = str(trade)
            with open(trade, encoding="utf-8-sig") as file:  # noqa: PTH123  pathlib is above
                text = file.read()
        assert isinstance(text, str)
        return msgspec.toml.decode(text, type=Document), where
    except (OSError, UnicodeDecodeError) as error:
        raise TradeError(f"{where} cannot be read: {error}.") from error
    except msgspec.MsgspecError as error:
        raise TradeError(f"{where} is not a valid trade: {error}.") from error


def _merged(known: Entry, given: Entry) -> Entry:
    said = msgspec.to_builtins(given, builtin_types=(date,))
    if said.get("kind", known.kind) != known.kind:
        raise TradeError(
            f"{given.name} is of kind {known.kind}; give another attribute a name."
        )
    for key in ("spellings", "candidates", "scales", "labels"):
        if key in said:
            said[key] = getattr(known, key) | said[key]
    if grades := set(said.get("grades", ())):  # what is said of a grade goes with it
        gone = set(known.grades) - grades
        for key in ("spellings", "candidates", "scales"):
            kept = said.get(key, getattr(known, key))
            said[key] = {
                of: words if key == "spellings" else [w for w in words if w not in gone]
                for of, words in kept.items()
                if key != "spellings" or of not in gone
            }
        if known.ungraded in gone:
            said["grades"] = [known.ungraded, *said["grades"]]
    if "aliases" in said:
        words = [
            w.strip() for text in (known.aliases, said["aliases"]) for w in text.split(",")
        ]
        said["aliases"] = ", ".join(dict.fromkeys(filter(None, words)))
    return msgspec.structs.replace(known, **said)


def _set(entries: dict[str, Entry], labels: dict[str, str], where: str) -> None:
    """Make the entries the trade of this process; nothing changes where one is wrong."""
    if len(entries) > _MOST:
        raise TradeError(f"{where}: a trade has at most {_MOST} attributes.")
    made = {name: _made(entry, where) for name, entry in entries.items()}
    names: dict[str, str] = {}
    for name, attribute in made.items():
        for word in (name, *attribute.aliases):
            other = names.setdefault(fold(word), name)
            if other != name:
                raise TradeError(f"{where}: {word!r} would mean both {other} and {name}.")
    for attribute in made.values():
        if attribute.line in made and made[attribute.line].line != attribute.line:
            raise TradeError(f"{where}: {attribute.name} stands on no line of its own.")
    lines = {"carat": made["carat"].label, MAGIC_LINE: "Magic weight"}
    for attribute in made.values():
        lines.setdefault(attribute.line, labels.get(attribute.line, attribute.label))
    lines["listing"] = lines.pop("listing")
    lines[LIKE_LINE] = "Like sales"
    for kept, new in (
        (_every, made),
        (_entries, entries),
        (_names, names),
        (_lines, lines),
        (_line_labels, labels),
    ):
        kept.clear()
        kept.update(new)  # type: ignore[arg-type]
    measures = [made[n] for n in ("carat", *DIMENSIONS)]
    MEASURES.items = tuple(a for a in measures if isinstance(a, Measure))
    GRADES.items = tuple(a for n in FOUR_CS if isinstance(a := made[n], Grade))
    core = {"listing", *FOUR_CS, *DIMENSIONS}
    OTHERS.items = tuple(a for name, a in made.items() if name not in core)


def _made(entry: Entry, where: str) -> Attribute:
    def wrong(what: str) -> TradeError:
        return TradeError(f"{where}: attribute {entry.name!r} {what}.")

    if not re.fullmatch(_NAME, entry.name) or entry.name in _TAKEN:
        raise wrong("needs a name of small letters, figures and _ that is not taken")
    if entry.direction not in (RISING, FREE):
        raise wrong(f"has a direction of {entry.direction!r}; choose {RISING} or {FREE}")
    if not entry.label.strip() or not entry.label.isprintable() or len(entry.label) > 60:
        raise wrong("needs a label of one line")
    rest: dict[str, Any] = {
        "name": entry.name,
        "label": entry.label,
        "line": entry.line or entry.name,
        "required": entry.required,
        "direction": entry.direction,
        "of_shape": entry.of_shape,
        "labels": MappingProxyType(dict(entry.labels)),
        "aliases": tuple(w.strip() for w in entry.aliases.split(",") if w.strip()),
    }
    if entry.required and entry.name not in FOUR_CS:
        raise wrong("cannot be required: stones without it are priced too")
    if entry.kind in (MEASURE, DATE):
        kind: type[Measure] = Measure if entry.kind == MEASURE else Day
        limits = [
            float(end.toordinal()) if isinstance(end, date) else end
            for end in (entry.low, entry.high)
        ]
        low, high = limits
        if low is None or high is None or not low < high:
            raise wrong("needs low and high, the one below the other")
        return kind(unit=entry.unit, low=float(low), high=float(high), **rest)
    if entry.kind not in (ORDERED, CATEGORY):
        raise wrong(f"is of kind {entry.kind!r}; choose measure, ordered, category or date")
    folded = {fold(grade) for grade in entry.grades}
    if not entry.grades or len(folded) < len(entry.grades) or "" in folded:
        raise wrong("needs grades, each once")
    unknown = {*entry.spellings, *filter(None, (entry.ungraded, entry.middle))}
    unknown -= set(entry.grades)
    lists = [*entry.candidates.values(), *entry.scales.values()]
    unknown |= {grade for grades in lists for grade in grades} - set(entry.grades)
    if unknown:
        raise wrong(f"spells {', '.join(sorted(unknown))}, which is not one of its grades")
    spellings: dict[str, str] = {}
    for grade, words in entry.spellings.items():
        for word in words.split(","):
            if spellings.setdefault(fold(word), grade) != grade:
                raise wrong(f"has {word.strip()!r} mean two grades")
    if entry.middle:
        spellings = _ranges(entry, spellings) | spellings
    return Grade(
        grades=tuple(entry.grades),
        spellings=MappingProxyType(spellings),
        ordered=entry.kind == ORDERED,
        ungraded=entry.ungraded,
        candidates=MappingProxyType({fold(w): tuple(g) for w, g in entry.candidates.items()}),
        scales=MappingProxyType(
            {
                house: tuple(filter(set(g).__contains__, entry.grades))
                for house, g in entry.scales.items()
            }
        ),
        **rest,
    )


def _ranges(entry: Entry, spellings: Mapping[str, str]) -> dict[str, str]:
    """What ranges mean: the end farther from the middle, the second of two as far."""
    words = {fold(grade): grade for grade in entry.grades} | dict(spellings)
    place = entry.grades.index
    off = {grade: abs(place(grade) - place(entry.middle)) for grade in entry.grades}
    return {
        f"{first}{to}{second}": a if off[a] > off[b] else b
        for (first, a), (second, b) in product(words.items(), repeat=2)
        for to in ("to", "-", "/", "")
    }


PACKAGED = _read(
    resources.files("diamond_pricing.stones").joinpath("trade.toml").read_text("utf-8")
)[0]
_set({entry.name: entry for entry in PACKAGED.attribute}, dict(PACKAGED.lines), "trade.toml")
_listing = ATTRIBUTES["listing"]
assert isinstance(_listing, Grade)
LISTING: Grade = _listing

# What a process that starts another hands on: the attributes that it has added.
if _given := os.environ.get("DIAMOND_PRICING_TRADE"):
    use(_given)
