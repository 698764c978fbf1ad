"""The page of a report: its style, and the elements that only a report has."""

from collections.abc import Iterable, Sequence

from spikefab.markup import Markup, join, tag, text

STYLE = """
:root { color-scheme: light dark; --paper: #fbfbf9; --card: #ffffff; --ink: #16181d; --soft: #5b6270; --line: #d9dce3;
  --shade: #e8ecf2; --first: #c73a4f; --second: #2f7fb8; --third: #b87a08; --voltage: #30638e; --times: #d99a2b;
  --count: #8d96a3; --good: #1d7a46; --warn: #9a5b00; --ceiling: #8fcbaa; --floor: #c9ccd3; }
@media (prefers-color-scheme: dark) { :root { --paper: #14161a; --card: #1c1f25; --ink: #e8eaee; --soft: #a2a9b6;
  --line: #363b45; --shade: #2a3039; --first: #ff7084; --second: #63b3ea; --third: #eab44c; --voltage: #5b93c4;
  --times: #e3ae51; --count: #7c8694; --good: #63c98f; --warn: #e9b15a; --ceiling: #2f6b4b; --floor: #4a505c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p, ul, ol { margin: .4rem 0; max-width: 75ch; }
.soft, caption, figcaption { color: var(--soft); font-size: .9rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1.25rem 0 0; }
.tile, figure { background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
.tile { padding: .6rem .8rem; }
.tile b { display: block; font-size: 1.25rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .85rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: .75rem; align-items: start; }
.grid > * { min-width: 0; }
.grid > :only-child { grid-column: 1 / -1; max-width: 36rem; }
figure { margin: .5rem 0; padding: .5rem; }
figure svg { display: block; width: 100%; height: auto; max-width: 36rem; margin: 0 auto; }
figure svg text { fill: var(--ink); }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
figcaption { padding: .25rem .4rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; margin: .5rem 0; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th { color: var(--soft); font-weight: 500; white-space: nowrap; }
.t1 :is(th, td):nth-child(1), .t2 :is(th, td):nth-child(-n+2) { text-align: left; }
td { white-space: nowrap; }
td.wrap { white-space: normal; min-width: 12rem; text-align: left; }
tr.limit td { color: var(--soft); font-style: italic; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .5rem 0; font-size: .95rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
.bar { display: flex; width: 8.5rem; height: .8rem; margin-top: .3rem; background: var(--shade); }
.bar i, .key i { background: var(--c); } .bar i { height: 100%; }
.key i { display: inline-block; width: .8rem; height: .8rem; margin: 0 .3rem 0 .8rem; vertical-align: -.05rem; }
.scale { width: 100%; max-width: 52rem; } .scale :is(th, td):nth-child(2) { width: 50%; min-width: 7rem; }
.line { position: relative; height: 1rem; margin: .2rem 0 .2rem .4rem; background: var(--shade); border-radius: 3px; }
.line .ceiling { position: absolute; inset: 0 auto 0 0; background: var(--ceiling); border-right: 2px solid var(--good); }
.line .floor { position: absolute; inset: 0 0 0 auto; background: var(--floor); border-left: 2px solid var(--soft); }
.line b { position: absolute; top: .1rem; width: .8rem; height: .8rem; margin-left: -.4rem; border-radius: 50%;
  background: var(--c); border: 2px solid var(--card); }
.marks { max-width: none; } .marks .key i:first-child { margin-left: 0; }
.good { color: var(--good); } .warn { color: var(--warn); }
abbr { text-decoration: underline dotted var(--soft); text-underline-offset: .2em; cursor: help; }
details { margin: .4rem 0; } summary { cursor: pointer; padding: .25rem 0; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .88em; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem; overflow-x: auto; }
@media (max-width: 600px) { main { padding: 1rem .9rem 3rem; } dl { column-gap: .75rem; } .bar { width: 4.5rem; }
  .scale :is(th, td) { padding-right: .4rem; } .scale :is(th, td):nth-child(2) { width: auto; min-width: 5.2rem; }
  h1 { font-size: 1.3rem; } }
@media print { details > * { display: block; } figure, tr { break-inside: avoid; } }
"""
# Content security policy: the page may load nothing, so that the name of a recording cannot make it load a script.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def figure(svg: str, caption: object = "") -> Markup:
    """A picture with its caption."""
    return tag("figure", Markup(svg), tag("figcaption", caption) if caption else "")


def bar(parts: Sequence[tuple[float, str]], full: float) -> Markup:
    """A bar of coloured parts, each (length, CSS variable of the colour); `full` is the length of the full width."""
    pieces = "".join(f'<i style="width:{100 * max(0.0, x) / full:.1f}%;--c:var(--{name})"></i>' for x, name in parts)
    return Markup(f'<div class="bar">{pieces}</div>')


def key(entries: Iterable[tuple[str, str]]) -> Markup:
    """A key to the colours of a bar, from pairs (text, CSS variable of the colour)."""
    marks = "".join(f'<i style="--c:var(--{name})"></i>{text(label)}' for label, name in entries)
    return Markup(f'<span class="key">{marks}</span>')


def page(title: str, body: Iterable[object]) -> str:
    """The complete HTML file."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{text(title)}</title>
<style>{STYLE}</style>
</head>
<body><main>
{join(body)}
</main></body>
</html>
"""
