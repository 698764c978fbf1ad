"""HTML as text: elements, tables and lists. Text is escaped, unless it is of the class `Markup`, which is HTML already."""

import html
from collections.abc import Iterable, Sequence

# Style of what a notebook shows. It takes the colours of the notebook, whose theme no page can ask for: lines and shades are
# grey of half opacity, so that they are seen on a dark and on a light ground.
VIEW = """
.spikefab { font-size: 13px; line-height: 1.45; color: inherit; max-width: 100%; }
.spikefab p { margin: .3em 0; max-width: 80ch; }
.spikefab .title { font-size: 1.1em; font-weight: 600; overflow-wrap: anywhere; }
.spikefab .soft { opacity: .75; }
.spikefab .note { border-left: 3px solid #d98a00; padding-left: .6em; overflow-wrap: anywhere; }
.spikefab .scroll { overflow-x: auto; }
.spikefab table { border-collapse: collapse; border: 0; margin: .4em 0; font-size: 1em; font-variant-numeric: tabular-nums; }
.spikefab :is(th, td) { border: 0; border-bottom: 1px solid rgba(128, 128, 128, .35); padding: .2em .9em .2em 0;
  text-align: right; vertical-align: top; white-space: nowrap; color: inherit; background: none; }
.spikefab th { font-weight: 600; border-bottom-color: rgba(128, 128, 128, .7); }
.spikefab :is(th, td).left { text-align: left; }
.spikefab .t1 :is(th, td):nth-child(1), .spikefab .t2 :is(th, td):nth-child(-n+2) { text-align: left; }
.spikefab :is(th, td).wrap { white-space: normal; min-width: 12em; text-align: left; }
.spikefab tr.limit td { font-style: italic; opacity: .75; }
.spikefab summary { cursor: pointer; }
.spikefab math { font-size: 1.15em; }
.spikefab progress { width: 9em; height: .8em; vertical-align: middle; accent-color: #2f7fb8; }
"""


class Markup(str):
    """A string that is HTML and must not be escaped."""


def text(value: object) -> Markup:
    """Any object as HTML: escaped, unless it is a `Markup`."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def tag(name: str, *content: object, css: str = "") -> Markup:
    """An HTML element with content and CSS class; content that is no `Markup` is escaped."""
    classes = f' class="{html.escape(css)}"' if css else ""
    return Markup(f"<{name}{classes}>{''.join(map(text, content))}</{name}>")


def hint(label: object, explanation: str) -> Markup:
    """A text with an explanation that a pointer over it shows."""
    return Markup(f'<abbr title="{html.escape(explanation)}">{text(label)}</abbr>')


def join(parts: Iterable[object]) -> Markup:
    """Pieces of HTML one after another."""
    return Markup("\n".join(map(text, parts)))


def table(
    columns: Sequence[object], rows: Iterable[Sequence[object]], left: int = 1, limits: int = 0, css: str = ""
) -> Markup:
    """An HTML table. The first `left` (1 or 2) columns are text, the others numbers; the last `limits` rows look different.

    css: another class of the table. A table that is too wide for the page scrolls.
    """
    rows = list(rows)
    head = tag("tr", *(_cell("th", c) for c in columns))
    body = []
    for k, row in enumerate(rows):
        body.append(tag("tr", *(_cell("td", c) for c in row), css="limit" if k >= len(rows) - limits else ""))
    classes = f"t{left} {css}".strip()
    whole = f'<table class="{classes}"><thead>{head}</thead><tbody>{join(body)}</tbody></table>'
    return Markup(f'<div class="scroll">{whole}</div>')


def _cell(element: str, content: object) -> Markup:
    """A cell of a table; content that is one already stays as it is."""
    if isinstance(content, Markup) and content.startswith(f"<{element}"):
        return content
    return tag(element, content)


def definitions(pairs: Iterable[tuple[object, object]]) -> Markup:
    """A list of names, each with its value."""
    return tag("dl", *(Markup(tag("dt", name) + tag("dd", value)) for name, value in pairs))


def view(*content: object) -> str:
    """What a notebook shows of an object: content with its style, which touches nothing else on the page."""
    return f'<div class="spikefab"><style>{VIEW}</style>{join(content)}</div>'
