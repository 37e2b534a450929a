"""Names in any script as a picture can show them: with the fonts that are there, and stand-ins where there is none."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from matplotlib.font_manager import findfont, fontManager
from matplotlib.ft2font import FT2Font

LONGEST_NAME = 26
"""Columns of a name; the middle of a longer one is left out."""


def drawable(names: Sequence[str], longest: int = LONGEST_NAME) -> list[str]:
    """Names as they can be drawn: so many columns at most, in one line, told apart even where no font has them."""
    absent = missing(names)
    drawn = []
    for name in names:
        words = "".join("\u25af" if c in absent else c for c in _one_line(name))
        drawn.append(shorten(words, longest).replace("$", r"\$"))
    return [
        n if n and drawn.count(n) == 1 and "\u25af" not in n else f"{i + 1}: {n}" for i, n in enumerate(drawn)
    ]


def plain(text: str) -> str:
    """A title as it can be drawn, whole."""
    absent = missing([text])
    return "".join("\u25af" if c in absent else c for c in _one_line(text)).replace("$", r"\$")


def _one_line(text: str) -> str:
    """Without line breaks, marks that are not letters, and halves of broken characters."""
    kinds = {"Cc": " ", "Cs": "\ufffd", "Co": "\ufffd", "Cn": "\ufffd", "Cf": "", "Zl": " ", "Zp": " "}
    return "".join(kinds.get(unicodedata.category(c), c) for c in unicodedata.normalize("NFC", text)).strip()


def shorten(name: str, longest: int = LONGEST_NAME) -> str:
    """At most so many columns wide, the middle left out: both ends tell names apart."""
    if columns(name) <= longest:
        return name
    half = longest // 2 if columns(name) == len(name) else longest // 4
    return f"{name[:half]}\u2026{name[-half + 1 :]}"


def columns(name: str) -> int:
    """How wide a name is: East Asian letters take two columns."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in name)


def families(texts: Iterable[str]) -> list[str]:
    """The font families that draw these texts, the usual one first."""
    return _fallback("".join(sorted(set("".join(map(_one_line, texts))))))[0]


def missing(texts: Iterable[str]) -> frozenset[str]:
    """The letters that no font here has."""
    return _fallback("".join(sorted(set("".join(map(_one_line, texts))))))[1]


@lru_cache(maxsize=256)
def _fallback(letters: str) -> tuple[list[str], frozenset[str]]:
    """Font families that cover the letters between them, and the letters that none of them has."""
    families = ["DejaVu Sans"]
    missing = {c for c in letters if ord(c) not in _glyphs(findfont("DejaVu Sans"))}
    for font in fontManager.ttflist if missing else ():
        usual = font.style == "normal" and font.weight in (400, "normal", "regular", "book")
        if (
            not missing
            or not usual
            or any(w in font.name.lower() for w in ("emoji", "last resort", "lastresort"))
        ):
            continue
        found = {c for c in missing if ord(c) in _glyphs(font.fname)}
        if found and findfont(font.name) == font.fname:
            families.append(font.name)
            missing -= found
    return families, frozenset(missing)


@lru_cache(maxsize=1024)
def _glyphs(path: str) -> frozenset[int]:
    """The characters that a font file has; none where it cannot be read or drawn at any size."""
    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):
        return frozenset()
    return frozenset(font.get_charmap()) if font.scalable else frozenset()
