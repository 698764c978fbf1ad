"""Finds the time series in an NWB file that are responses and stimuli, and pairs each response with its stimulus.

In NWB 2, responses (`CurrentClampSeries`) are in /acquisition and stimuli (`CurrentClampStimulusSeries`) in
/stimulus/presentation. They are paired by the table of intracellular recordings, or else by their sweep numbers, or else by
the numbers in their names. In NWB 1, the groups /epochs/Sweep_N pair them.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from spikefab.errors import FileError

from .nwb_file import address, follow, load
from .nwb_series import Pair, Series, Stretch, natural, numbers, text

ICEPHYS = "general/intracellular_ephys"  # path of the group with the electrodes and the tables that pair series
UNPAIRED = "nothing tells which stimulus belongs to which sweep"


def find_series(file: Any) -> tuple[list[Series], list[Series], list[list[str]]]:
    """All time series in /acquisition, and all in /stimulus/presentation, each sorted by name; and for each of the two
    places, a sentence for every link there that leads to nothing.
    """
    known = {address(g): name for name, g in file.get(ICEPHYS, {}).items() if hasattr(g, "keys")}
    in_table = _sweep_table(file)
    found, missing = [], []
    for place in ("acquisition", "stimulus/presentation"):
        parent: Any = file
        lost: list[str] = []
        for name in place.split("/"):
            parent, why = follow(parent, name) if parent is not None else (None, "")
            lost += [why] if why else []
        groups = sorted(_groups(parent, set(), lost), key=lambda g: natural(g.name))
        found.append([_series(g, known, in_table) for g in groups])
        missing.append(lost)
    return found[0], found[1], missing


def _groups(parent: Any, seen: set[Any], missing: list[str]) -> Iterator[Any]:
    """All groups below `parent` that have data, each once although it may have several names."""
    for name in [] if parent is None else parent:
        item, why = follow(parent, name)
        if item is not None and hasattr(item, "keys") and address(item) not in seen:
            seen.add(address(item))
            data, why = follow(item, "data")
            if hasattr(data, "shape"):
                yield item
            elif not why:
                yield from _groups(item, seen, missing)
        if why:
            missing.append(why)


def _series(group: Any, electrodes: dict[Any, str], in_table: dict[Any, int]) -> Series:
    """The series of a group, given the electrodes' names and the sweep numbers of the sweep table, both by address."""
    ancestry = group.attrs.get("ancestry", ())  # NWB 1 lists the types: TimeSeries, ..., CurrentClampSeries
    kind = text(ancestry[-1]) if len(ancestry) else text(group.attrs.get("neurodata_type", "TimeSeries"))
    number = group.attrs.get("sweep_number", in_table.get(address(group)))
    link, _ = follow(group, "electrode")
    electrode = "" if link is None else electrodes.get(address(link), str(link.name))
    if "electrode_name" in group:
        electrode = text(group["electrode_name"][()])
    return Series(group, kind, None if number is None else int(number), electrode)


def _sweep_table(file: Any) -> dict[Any, int]:
    """The sweep number of each series (by address) in the sweep table, which files before NWB 2.4 have."""
    table = file.get(f"{ICEPHYS}/sweep_table")
    if table is None or not {"series", "sweep_number"} <= set(table):
        return {}
    refs, sweeps = load(table["series"]), load(table["sweep_number"])
    ends = load(table["series_index"]) if "series_index" in table else range(1, len(refs) + 1)
    starts = [0, *ends][:-1]
    return {
        address(file[ref]): int(number)
        for start, end, number in zip(starts, ends, sweeps, strict=False)
        for ref in refs[int(start) : int(end)]
    }


def pair_by_epoch(file: Any) -> tuple[list[Pair], list[str]]:
    """(the pairs that the groups /epochs/Sweep_N of NWB 1 name, none if there are no such groups; a sentence for every link
    in them that leads to nothing).
    """
    pairs, lost = [], []
    epochs, why = follow(file, "epochs")
    lost += [why] if why else []
    for name in sorted((n for n in epochs or () if re.fullmatch(r"(?i)sweep_?[0-9]+", n)), key=natural):
        response, no_response = _epoch(epochs[name], "response")
        stimulus, no_stimulus = _epoch(epochs[name], "stimulus")
        if response is not None:
            why = no_stimulus or "its epoch names no stimulus"
            pairs.append(Pair(response, stimulus, "paired by the epochs of the file" if stimulus else why))
        elif no_response:
            lost.append(no_response)
    return pairs, lost


def _epoch(epoch: Any, name: str) -> tuple[Stretch | None, str]:
    """(the response or the stimulus that an epoch names or None, why its link leads to nothing or "")."""
    item, why = epoch, ""
    for part in (name, "timeseries", "data"):
        if item is not None and hasattr(item, "keys"):
            group = item
            item, why = follow(item, part)
    if item is None or not hasattr(item, "shape"):
        return None, why
    series = _series(group, {}, {})
    part = epoch[name]
    start, count = (int(part[key][()]) if key in part else None for key in ("idx_start", "count"))
    number = numbers(epoch.name)[-1]
    return Stretch(Series(series.group, series.kind, number, series.electrode), start or 0, count), ""


def pair_by_table(file: Any, responses: list[Series], stimuli: list[Series], notes: list[str]) -> list[Pair]:
    """The pairs in the table of intracellular recordings, one a row; an empty list if there is no such table.

    Rows that repeat the samples of another row are left out, with a notice. Raises FileError if a row is not within its
    series.
    """
    table = file.get(f"{ICEPHYS}/intracellular_recordings")
    if table is None or "responses/response" not in table:
        return []
    known = {address(s.group): s for s in (*responses, *stimuli)}
    left = _column(file, table, "responses/response", known)
    right = _column(file, table, "stimuli/stimulus", known)
    templates = _column(file, table, "stimuli/stimulus_template", known)
    pairs: dict[Any, Pair] = {}
    repeated = 0
    for k, response in enumerate(left):
        if response is None or response.series not in responses or response.stop - response.start < 2:
            continue
        stimulus, template = (column[k] if k < len(column) else None for column in (right, templates))
        how = "paired by the intracellular tables of the file" if stimulus else "the template that the tables name"
        if stimulus is None and template is None:
            how = "its intracellular tables name no stimulus"
        key = (response.series, response.start, response.stop)
        repeated += key in pairs
        if key not in pairs or (pairs[key].stimulus is None and (stimulus or template)):
            pairs[key] = Pair(response, stimulus or template, how)
    if repeated:
        notes.append(f"{repeated} of {len(left)} rows of the intracellular tables repeat another row: read once")
    return list(pairs.values())


def _column(file: Any, table: Any, name: str, known: dict[Any, Series]) -> list[Stretch | None]:
    """The stretch of a series in each row of a column of the table of intracellular recordings."""
    found: list[Stretch | None] = []
    for k, row in enumerate(load(table[name]) if name in table else ()):
        start, count = int(row["idx_start"]), int(row["count"])
        # a row without a series has -1 as start and count, and a reference without meaning
        group = file[row["timeseries"]] if start >= 0 and row["timeseries"] else None
        if group is None or not hasattr(group.get("data"), "shape"):
            found.append(None)
            continue
        where = address(group)
        if where not in known:
            known[where] = _series(group, {}, {})
        series = known[where]
        if start + max(count, 0) > series.size:
            raise FileError(
                f"{file.filename}: row {k} of its intracellular tables names samples {start} to {start + count} of"
                f" {series.name}, which has {series.size}: the file was not written to its end, or the table is wrong."
            )
        found.append(Stretch(series, start, count if count >= 0 else None))
    return found


def pair_by_number_or_name(responses: list[Series], stimuli: list[Series], without: str) -> list[Pair]:
    """Pair each response with the stimulus of the same sweep number (and electrode), else with the same numbers in the name.

    without  why there are no stimuli, if there are none
    """

    def key_of_sweep(s: Series) -> Any:
        return None if s.number is None else (s.number, s.electrode)

    keys = [
        ("sweep number", key_of_sweep),
        ("sweep number", lambda s: s.number),  # the number alone, as stimuli may lack an electrode
        ("name", lambda s: s.name),
        ("name", lambda s: numbers(s.name) or None),
    ]
    if not stimuli:
        return [Pair(Stretch(r), None, without) for r in responses]
    for word, key in keys:
        left, right = Counter(map(key, responses)), Counter(map(key, stimuli))
        # A key that two responses share cannot identify a sweep (if all sweep numbers are 0, say): try the next key.
        if None in left or max(left.values()) > 1 or not any(k in right for k in left):
            continue
        by_key = {key(s): s for s in stimuli}
        return [_keyed(r, by_key.get(key(r)), right[key(r)], word) for r in responses]
    if len(stimuli) == 1:
        return [Pair(Stretch(r), Stretch(stimuli[0]), "the only one of the file") for r in responses]
    return [Pair(Stretch(r), None, UNPAIRED) for r in responses]


def _keyed(response: Series, stimulus: Series | None, count: int, word: str) -> Pair:
    """The pair, if exactly one stimulus (`count`) has the key of the response; `word` names the key."""
    if stimulus is None:
        return Pair(Stretch(response), None, f"no stimulus has its {word}")
    if count > 1:
        return Pair(Stretch(response), None, f"{count} stimuli have its {word}")
    return Pair(Stretch(response), Stretch(stimulus), f"paired by {word}")
