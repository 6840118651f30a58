"""The page a report is written on: escaping, numbers and tables."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence

from bo.report_style import CSS, THEME
from graphs.condition import Condition
from graphs.tables.table import UNITS

NONE = "\N{EN DASH}"
"""What stands where there is no value."""
_UNSHOWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Html(str):
    """Text that is markup already; everything else is escaped when it enters a page."""


def escape(text: object) -> Html:
    """`text` as markup that shows it; `Html` passes through."""
    return (
        text if isinstance(text, Html) else Html(html.escape(_UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", str(text))))
    )


def element(tag: str, *content: object, **attributes: str) -> Html:
    """`<tag>content</tag>`, escaped; a trailing or inner underscore of an attribute becomes the hyphen or nothing."""
    given = "".join(f' {key.strip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{tag}{given}>{''.join(map(escape, content))}</{tag}>")


def join(parts: Iterable[object]) -> Html:
    """The parts one after the other, escaped."""
    return Html("\n".join(map(escape, parts)))


def number(value: float | None, digits: int = 5) -> str:
    """So many significant digits, without an exponent where it reads well; a dash for None and for NaN."""
    if value is None or math.isnan(value):
        return NONE
    if not math.isfinite(value) or value == 0 or not 1e-5 <= abs(value) < 1e8:
        text = f"{value:.{digits - 1}g}"
    else:
        text = f"{value:,.{max(0, digits - 1 - _scale(value))}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "\N{MINUS SIGN}", 1) if value < 0 else text


def signed(value: float, digits: int = 5) -> str:
    """The number with a plus before it where it is positive."""
    return ("+" if value > 0 else "") + number(value, digits)


def column(values: Sequence[float | None]) -> list[str]:
    """Numbers that stand under each other: all with the decimals that give the largest five significant digits.

    Where some would lose more than three of their digits that way, each is written by itself.
    """
    given = [value for value in values if value is not None and math.isfinite(value) and value != 0]
    scales = [_scale(value) for value in given]
    whole = all(value == int(value) for value in given)
    if not given or whole or max(scales) - min(scales) > 3 or not -5 <= min(scales) <= max(scales) < 8:
        return [number(value) for value in values]
    decimals = max(0, 4 - max(scales))
    exact = [value is not None and math.isfinite(value) for value in values]
    texts = [f"{value:,.{decimals}f}" if known else number(value) for value, known in zip(values, exact, strict=True)]
    return [text.replace("-", "\N{MINUS SIGN}") for text in texts]


def _scale(value: float) -> int:
    return math.floor(math.log10(abs(value)))


def quantity(metric: str, value: float | None) -> str:
    """The number with the unit of its metric, where it has one."""
    unit = UNITS.get(metric, "")
    return f"{number(value)} {unit}".rstrip() if number(value) != NONE else NONE


def bound(condition: Condition) -> str:
    """A constraint as one writes it by hand, with its unit."""
    sign = "\N{LESS-THAN OR EQUAL TO}" if condition.operator == "<=" else "\N{GREATER-THAN OR EQUAL TO}"
    return f"{condition.name} {sign} {quantity(condition.name, condition.value)}"


def heading(metric: str) -> str:
    """The metric's name with its unit in brackets, where it has one."""
    return f"{metric} ({UNITS[metric]})" if metric in UNITS else metric


def table(caption: str, headers: Sequence[str], rows: Iterable[Sequence[object]], kinds: str) -> Html:
    """A table that scrolls sideways where it is too wide.

    Args:
        caption: what it shows, read out before it.
        headers: one a column.
        rows: their cells; `Html` is kept, all else escaped.
        kinds: one letter a column: "n" for numbers, which stand right, "t" for text, "w" for text that needs width.
    """
    marks = [{"class_": kind} for kind in kinds]
    head = (element("th", name, scope="col", **mark) for name, mark in zip(headers, marks, strict=True))
    body = (
        element("tr", *(element("td", cell, **mark) for cell, mark in zip(row, marks, strict=True))) for row in rows
    )
    whole = element(
        "table", element("caption", caption), element("thead", element("tr", *head)), element("tbody", join(body))
    )
    return element("div", whole, class_="scroll", role="region", aria_label=caption, tabindex="0")


def facts(pairs: Iterable[tuple[str, object]]) -> Html:
    """Names with their values, as a description list."""
    return element("dl", *(element(tag, text) for pair in pairs for tag, text in zip(("dt", "dd"), pair, strict=True)),
                   class_="facts")  # fmt: skip


def page(title: str, main: Html, footer: Html) -> Html:
    """A whole document that needs nothing beside itself."""
    light, dark = ("".join(f"--{name}:{pair[k]};" for name, pair in THEME.items()) for k in (0, 1))
    style = (
        f":root{{color-scheme:light dark;{light}--ends:#243b53;--wire:#829ab1}}"
        f"@media(prefers-color-scheme:dark){{:root{{{dark}--ends:#486581;--wire:#829ab1}}}}{CSS}"
    )
    return Html(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<main>\n{main}\n</main>\n<footer>{footer}</footer>\n</body>\n</html>\n"
    )
