"""Docstrings of spikefab as reStructuredText, for the reference of the site. They are plain text, which Sphinx cannot read.

Four things stand in a docstring beside paragraphs: lists, a table of two columns (a name, at least two spaces, what it is; or a
name alone with the text below it, indented), a Markdown table, and indented lines, which are equations.
"""

import re
import textwrap

# "name   what it is": a name is a word, or several with commas
ROW = re.compile(r"^(?P<name>[A-Za-z_]\w*(?:, \w+)*)(?:  +(?P<text>\S.*))?$")
MARK = re.compile(r"^[*-] ")


def rendered(lines: list[str]) -> list[str]:
    """The lines of a docstring, without their common indentation, as lines of reStructuredText."""
    found: list[str] = []
    for block in blocks(lines):
        found += [*_block(block), ""]
    return found


def blocks(lines: list[str]) -> list[list[str]]:
    """The lines between empty lines. Indented ones that follow each other are one block, whatever is between."""
    found: list[list[str]] = []
    apart = True
    for line in lines:
        if not line.strip():
            apart = True
        elif apart and not (found and line.startswith(" ") and found[-1][0].startswith(" ")):
            found.append([line])
            apart = False
        else:
            found[-1] += ["", line] if apart else [line]
            apart = False
    return found


def _block(block: list[str]) -> list[str]:
    if all(line.startswith(" ") or not line for line in block):
        return ["::", "", *textwrap.indent(textwrap.dedent("\n".join(block)), "   ").splitlines()]
    if all(line.startswith("|") for line in block):
        return _table(block)
    if MARK.match(block[0]):
        return [escaped(line) for line in block]
    if _is_columns(block):
        return _columns(block)
    return [escaped(line) for line in block]


def _is_columns(block: list[str]) -> bool:
    """Whether each line is a name with its text, or goes on with one; the first says more than a sentence's first word."""
    first = ROW.match(block[0])
    if first is None or (first["text"] is None and not (len(block) > 1 and block[1].startswith("  "))):
        return False
    return all(line.startswith(" ") or ROW.match(line) or line.endswith(", ...") for line in block)


def _columns(block: list[str]) -> list[str]:
    found: list[str] = []
    for line in block:
        row = ROW.match(line)
        if row is not None:
            found.append(f"**{row['name']}**")
            found += [f"   {escaped(row['text'])}"] if row["text"] else []
        elif not line.startswith(" "):
            found.append(f"**{escaped(line)}**")
        else:
            found.append(f"   {escaped(line.strip())}")
    return found


def _table(block: list[str]) -> list[str]:
    """A Markdown table. Its second line is the rule."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in (block[0], *block[2:])]
    found = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        found += [f"   {'*' if k == 0 else ' '} - {escaped(cell)}" for k, cell in enumerate(row)]
    return found


def escaped(text: str) -> str:
    """Text in which stars, bars and final underscores are meant as they stand, and single backticks are code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a backtick without its partner
        return re.sub(r"([*|`\\])", r"\\\1", text)
    for k, part in enumerate(parts):
        if k % 2 == 0:
            part = re.sub(r"([|\\])", r"\\\1", part)
            part = re.sub(r"(?<!^)\*|^\*(?! )", r"\\*", part)
            parts[k] = re.sub(r"(\w)_(?=\W|$)", r"\1\\_", part)
    # code must be set apart from the letters beside it
    return "".join(
        part if k % 2 == 0 else f"``{part}``" + ("\\ " if parts[k + 1][:1].isalnum() else "")
        for k, part in enumerate(parts)
        if part or k % 2 == 0
    )
