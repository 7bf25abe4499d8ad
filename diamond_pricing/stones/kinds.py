"""The one kind of stone that is priced, round and natural, and the words for it and others."""

import re
from collections.abc import Iterable, Sequence

from diamond_pricing.stones.attributes import fold

SHAPE, ORIGIN = "shape", "origin"
# Cells that say nothing.
GONE = {"", "-", "–", "—", "n/a", "na", "nan", "null", "none", "?", "unknown", "nil"}


def listed(text: str) -> set[str]:
    """Words, parted by commas and ends of lines, as we compare them."""
    return {fold(word) for word in re.split(r"[,\n]", text) if word.strip()}


HEADERS = {
    SHAPE: listed("shape, form, forme, forma, stone shape, diamond shape, cut shape"),
    ORIGIN: listed("""origin, type, diamond type, stone type, lab grown, is lab grown
        lab created, natural or lab, natural / lab, lab / natural, laboratory grown
        laboratory created, growth, growth type, creation, synthetic, diamond origin
        stone origin, provenance, herkunft, entstehung, origine, origen
        provenienza, procedencia"""),
}  # fmt: skip
_ROUND = listed("""round, rd, rnd, rb, br, rbc, r, round brilliant, brilliant, round diamond
    rund, brillant, rond, rotondo, tondo, redondo, rund brillant, brilliant round, round cut
    round shape""")
_OTHER_SHAPES = listed("""princess, oval, cushion, emerald, pear, marquise, radiant, asscher
    heart, trillion, baguette, cushion modified, square, rose, old european""")
_NATURAL = listed("""natural, mined, earth mined, natural diamond, nat, n, no, false, f, 0, 0.0
    nein, non, natürlich, naturel, naturale, echt, real, genuine""")
_GROWN = listed("""lab, lab grown, lab created, laboratory, laboratory grown, cvd, hpht
    synthetic, lg, lgd, man made, grown, created, yes, true, y, 1, 1.0, t, ja, oui, si, sì
    lab diamond, labor, laborgezüchtet, laboratorio, laboratoire, synthetisch, sintetico
    sintético, synthétique""")
ONLY = {SHAPE: (_ROUND, "round"), ORIGIN: (_NATURAL, "natural")}
WORDS = {SHAPE: _ROUND | _OTHER_SHAPES, ORIGIN: _NATURAL | _GROWN}


def kind_named(header: str) -> str | None:
    """Give ``shape`` or ``origin`` if a header means it, None if it means neither."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header)
    return next((n for n, words in HEADERS.items() if fold(parted) in words), None)


def of_other_kind(
    kind: str, texts: Sequence[str | None], said: dict[str, str] | None = None
) -> dict[int, str]:
    """A sentence for each text that does not say the one kind that is priced.

    Parameters
    ----------
    kind : str
        ``shape`` or ``origin``.
    texts : Sequence[str | None]
        Those that say nothing are taken for it.
    said : dict[str, str] | None
        Words of the sender, and what they mean.
    """
    known, only = ONLY[kind]
    words = {fold(word): meant for word, meant in (said or {}).items()}
    return {
        at: f"{kind} {text[:40]!r} is not {only}, as far as known"
        for at, text in enumerate(texts)
        if text is not None
        and text.strip().casefold() not in GONE
        and fold(text) not in known
        and words.get(fold(text)) != only
    }


def mixed(header: str, texts: Iterable[str]) -> str:
    """A sentence if a column says that stones are of more than one kind, else nothing.

    Words that are not known are passed over.
    """
    kind = kind_named(header)
    if kind is None:
        return ""
    known, only = ONLY[kind]
    words = {fold(text): text for text in texts}
    ours = sorted(words[word] for word in words.keys() & known)
    others = sorted(words[word] for word in words.keys() & (WORDS[kind] - known))
    if not others or not (ours or (kind == SHAPE and len(others) > 1)):
        return ""
    told = ", ".join(repr(text[:20]) for text in [*ours[:1], *others[:3]])
    return (
        f"the column {header!r} names stones of different kinds: {told}. One model prices one "
        f"kind, as {only}: keep only its sales, and fit the others apart."
    )
