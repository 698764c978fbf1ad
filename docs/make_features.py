"""Makes docs/features.md, the definitions of all features, from fit/features/definitions.py: `make feature-page`."""

from pathlib import Path

from spikefab.fit.features.definitions import FEATURES

PAGE = Path(__file__).parent / "features.md"
HEAD = """\
# Features

What `extract_features`, `spikefab features FILE`, the Studio and a report say of a recording, and what each number is by
definition. A feature that a recording does not show is nan in Python, null in JSON and a dash elsewhere.

The stimulus window is found in the current, or in the voltage if there is no current. Spikes are found by their shape, not by a
voltage level; the *onset* of a spike is where its upstroke reaches 10 V/s, and its *time* is the middle of its upstroke, between
onset and peak. Where the recording shows an electrode whose resistance was not compensated, voltages are those without it.

Any other feature of [eFEL](https://efel.readthedocs.io) passes through by its own name:
`extract_features(..., extra=("AHP_depth",))`; it is the mean of all values that eFEL returns.

| feature | called | unit | definition |
|---|---|---|---|
"""


def page() -> str:
    """The text of the page."""
    rows = [f"| `{name}` | {f.label} | {f.unit} | {f.definition} |\n" for name, f in FEATURES.items()]
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
