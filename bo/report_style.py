"""How a report looks: its colours in a light and a dark scheme, and its style sheet."""

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

CSS = """
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
.grid dl{grid-template-columns:minmax(0,1fr) auto;gap:1px 6px;margin:6px 0 0;font-size:.74rem}
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
.panel{position:relative}
.panel text{font-size:12px;fill:var(--muted)}
.axes path{stroke:var(--rule);stroke-width:.8}
.stairs{fill:none;stroke:var(--accent);stroke-width:1.6}
.point{cursor:pointer;outline:none}
.point path{fill:currentColor;stroke:var(--card);stroke-width:.6}
.point.in path{opacity:.6}
.point.out path{fill:none;stroke:currentColor;stroke-width:1.1;opacity:.75}
.point .hit{fill:transparent}
.point .ring{fill:none;stroke:var(--accent);stroke-width:2}
.point:hover .hit,.point:focus .hit{fill:var(--accent);fill-opacity:.22}
.point:focus-visible .hit{stroke:var(--ink);stroke-width:2}
.point[aria-selected=true] .hit{fill:var(--accent);fill-opacity:.4;stroke:var(--accent);stroke-width:2}
.tip{position:absolute;z-index:2;max-width:min(320px,100%);padding:8px 10px;border-radius:8px;pointer-events:none;
background:var(--ink);color:var(--page);font-size:.8rem;line-height:1.35}
.tip *{display:block;overflow-wrap:anywhere}
.chosen{border:1px solid var(--rule);border-radius:10px;padding:14px}
.chosen svg{margin:6px auto 10px}
.chosen .wire{fill:none;stroke:var(--wire);stroke-width:1.2}
.chosen .box{stroke:var(--wire);stroke-width:.8}
.chosen .name{font-size:12.5px}
.chosen .small{font-size:10px}
.half{max-width:526px}
#front>.pair{margin-bottom:16px}
@media(max-width:560px){.panel text{font-size:15px}}
#front>details{margin-bottom:16px}
"""
