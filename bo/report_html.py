"""The page a report is written on: escaping, numbers, tables, and a style with a light and a dark scheme."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence

from graphs.tables.table import UNITS

THEME = {
    "page": ("#f6f7f9", "#0e1319"),
    "card": ("#fefefe", "#171e27"),
    "ink": ("#1b2733", "#e6ebf0"),
    "muted": ("#566575", "#9dadbd"),
    "rule": ("#d8dfe6", "#2c3744"),
    "accent": ("#0b7a75", "#4fd1c5"),
    "bad": ("#c22f2f", "#fc8181"),
    "slate": ("#7d8b99", "#94a3b3"),
    "blue": ("#3f6fa3", "#7fb0e0"),
    "violet": ("#7548b3", "#b794f6"),
    "green": ("#2a7f58", "#68d391"),
    "orange": ("#cf5f08", "#ff9f4a"),
    "pink": ("#b52f7c", "#f687b3"),
    "ochre": ("#876612", "#ecc94b"),
}
"""For each colour of the page its value in the light and in the dark scheme; figures are drawn in the light ones."""

_CSS = """
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans",sans-serif;-webkit-text-size-adjust:100%}
main,footer{max-width:1120px;margin:0 auto;padding:0 20px}
header{padding:36px 0 8px}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:0 0 12px;line-height:1.3}
h3{font-size:1rem;margin:0 0 6px;overflow-wrap:anywhere}
p{margin:0 0 12px;max-width:75ch}
.lead,.note,figcaption,dt,caption,footer{color:var(--muted)}
.note,figcaption{font-size:.875rem}
section{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:22px;margin:18px 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:12px;margin:20px 0 0}
.tiles>div{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:12px 16px}
dt{font-size:.82rem;overflow-wrap:anywhere}
dd{margin:0;font-variant-numeric:tabular-nums}
.tiles dd{font-size:1.5rem;font-weight:650;line-height:1.3}
.tiles small{display:block;font-size:.78rem;font-weight:400;color:var(--muted)}
.facts{display:grid;grid-template-columns:minmax(8em,max-content) 1fr;gap:5px 18px;margin:0 0 14px}
.facts dd{font-weight:600;overflow-wrap:anywhere}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:22px}
.pair>*{min-width:0}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,188px),1fr));gap:14px;list-style:none;padding:0;
margin:0}
.grid li{border:1px solid var(--rule);border-radius:10px;padding:12px;min-width:0}
.grid dl{grid-template-columns:1fr auto;gap:1px 6px;margin:6px 0 0;font-size:.8rem}
.grid dt{font-size:inherit}
.grid p{margin:-4px 0 4px}
.grid dd{text-align:right}
figure{margin:0}
figure svg{display:block;width:100%;height:auto;max-width:600px;margin:0 auto}
svg *{stroke-linejoin:round;stroke-linecap:butt}
figcaption{margin-top:6px}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.84em}
code{overflow-wrap:anywhere}
pre{overflow-x:auto;line-height:1.25;margin:8px 0 0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums}
caption{text-align:left;padding:0 0 6px}
th,td{padding:5px 14px 5px 0;text-align:left;border-bottom:1px solid var(--rule);vertical-align:top}
th{color:var(--muted);font-weight:600;white-space:nowrap}
td.n,th.n{text-align:right;white-space:nowrap}
td code{overflow-wrap:normal;white-space:nowrap}
td.w{min-width:15em}
.scroll+p{margin-top:10px}
section>:last-child{margin-bottom:0}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;list-style:none;padding:0;margin:0 0 6px;font-size:.84rem}
summary{cursor:pointer;color:var(--accent);font-weight:600}
details[open]>summary{margin-bottom:10px}
footer{font-size:.82rem;padding-bottom:40px}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
@media(max-width:560px){main,footer{padding:0 12px}section{padding:16px 14px}header{padding-top:22px}
.grid{grid-template-columns:1fr 1fr;gap:8px}.grid dl{font-size:.73rem}.grid li{padding:10px 8px}
.facts{grid-template-columns:minmax(0,max-content) minmax(0,1fr)}
.tiles{grid-template-columns:1fr 1fr;gap:8px}.tiles>:first-child{grid-column:1/-1}
.tiles>div{padding:10px 12px}.tiles dd{font-size:1.2rem}}
@media print{section,.grid li,.tiles>div{break-inside:avoid}}
"""
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
        f"@media(prefers-color-scheme:dark){{:root{{{dark}--ends:#486581;--wire:#829ab1}}}}{_CSS}"
    )
    return Html(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<main>\n{main}\n</main>\n<footer>{footer}</footer>\n</body>\n</html>\n"
    )
