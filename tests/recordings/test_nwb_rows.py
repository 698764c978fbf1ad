"""Long series of an NWB file are cut into sweeps: by the rows of the tables, or at the pauses of their own times."""

from datetime import UTC, datetime

import numpy as np
import pytest

from spikefab.errors import FileError, RecordingError
from spikefab.fit.recordings.readers import read

from .conftest import RESPONSE, STIMULUS, I, N, T, V, check, pair, rows

ONSETS = (3.0, 5.0, 11.25)  # s at which the sweeps begin
R, S = "acquisition/r", "stimulus/presentation/s"


# Rows of the tables


def long_pair(put, count=4, pause=4.4, stamps=True):
    """One series of responses and one of stimuli with `count` sweeps, `pause` s between them; sweep k has k times `I`."""
    t = np.concatenate([k * (0.1 + pause) + T / 1e3 for k in range(count)])
    more = {"timestamps": t} if stamps else {}
    put(R, np.concatenate([V + k for k in range(count)]) / 1e3, "volts", RESPONSE, **more)
    put(S, np.concatenate([k * I for k in range(count)]) / 1e9, "amperes", STIMULUS, **more)


def check_sweeps(recording, count=4):
    assert [s.name for s in recording.sweeps] == [str(k) for k in range(count)]
    for k, sweep in enumerate(recording.sweeps):
        check(sweep, V + k, k * I)


@pytest.mark.parametrize(("pause", "stamps"), [(4.4, True), (0.0, True), (0.0, False), (0.0003, True)])
def test_rows_are_sweeps_also_where_two_touch(nwb, pause, stamps):
    def build(put):
        long_pair(put, pause=pause, stamps=stamps)
        rows(put, [((k * N, N, R), (k * N, N, S)) for k in (2, 0, 3, 1)])

    recording = read(nwb(build))
    check_sweeps(recording)
    assert recording.notes == ()
    assert "intracellular tables" in recording.current_origin


def test_rows_that_repeat_are_read_once(nwb):
    def build(put):
        long_pair(put)
        rows(put, [((k * N, N, R), (k * N, N, S)) for k in (0, 1, 1, 2, 3, 0)])

    recording = read(nwb(build))
    check_sweeps(recording)
    assert recording.notes == ("2 of 6 rows of the intracellular tables repeat another row: read once",)


def test_rows_with_another_stimulus_or_none(nwb):
    def build(put):
        long_pair(put)
        put("stimulus/templates/t", 3 * I / 1e9, "amperes", STIMULUS)
        series = [((k * N, N, R), (k * N, N, S)) for k in range(3)]
        rows(put, [*series, ((3 * N, N, R), None)])
        templates = [*((row[0], None) for row in series), ((3 * N, N, R), (0, N, "stimulus/templates/t"))]
        rows(put, templates, ("of_templates", "stimuli/stimulus_template"))

    recording = read(nwb(build))
    check_sweeps(recording)
    assert "the template that the tables name" in recording.current_origin

    def without(put):
        long_pair(put)
        rows(put, [*(((k * N, N, R), (k * N, N, S)) for k in range(3)), ((3 * N, N, R), None)])

    recording = read(nwb(without))
    check_sweeps(recording, 3)
    assert recording.notes == ("sweep 3 left out: its intracellular tables name no stimulus",)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            (500, N, R),
            r"samples 500 to 1499 of r, reaches over a gap: its time goes from 99\.9 to 4500 ms after sample 999",
        ),
        ((0, 4 * N, R), "reaches over a gap"),
        ((3 * N, N + 1, R), r"row 1 of its intracellular tables names samples 3000 to 4001 of r, which has 4000"),
        ((5 * N, N, R), "names samples 5000 to 6000 of r"),
    ],
)
def test_rows_over_a_gap_or_beyond_the_series_are_refused(nwb, row, sentence):
    def build(put):
        long_pair(put)
        rows(put, [((0, N, R), (0, N, S)), (row, (0, N, S))])

    with pytest.raises(FileError, match=sentence) as caught:
        read(nwb(build))
    assert "\n" not in str(caught.value)


def test_higher_tables_do_not_repeat_a_sweep(tmp_path):
    """A file by pynwb: one long series, rows in simultaneous, sequential recordings and repetitions, some of them twice."""
    import pynwb
    from pynwb.icephys import CurrentClampSeries, CurrentClampStimulusSeries

    file = pynwb.NWBFile("a cell", "cell", datetime(2020, 1, 1, tzinfo=UTC))
    electrode = file.create_icephys_electrode(name="e", description="patch", device=file.create_device(name="amp"))
    t = np.concatenate([5.0 * k + T / 1e3 for k in range(4)])
    common = {"timestamps": t, "electrode": electrode, "gain": 1.0}
    response = CurrentClampSeries(name="r", data=np.concatenate([V + k for k in range(4)]) / 1e3, **common)
    stimulus = CurrentClampStimulusSeries(name="s", data=np.concatenate([k * I for k in range(4)]) / 1e9, **common)
    file.add_acquisition(response)
    file.add_stimulus(stimulus)
    for k in range(4):
        file.add_intracellular_recording(
            electrode=electrode, response=response, response_start_index=k * N, response_index_count=N,
            stimulus=stimulus, stimulus_start_index=k * N, stimulus_index_count=N,
        )  # fmt: skip
    for recordings in ([0], [1], [2], [3], [1], [0, 1]):
        file.add_icephys_simultaneous_recording(recordings=recordings)
    for simultaneous in ([0, 1, 2, 3], [4, 5], [0]):
        file.add_icephys_sequential_recording(simultaneous_recordings=simultaneous, stimulus_type="steps")
    file.add_icephys_repetition(sequential_recordings=[0, 1, 2])
    path = tmp_path / "made.nwb"
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)
    recording = read(path)
    check_sweeps(recording)
    assert recording.notes == ()


# Long series without rows


def test_pauses_in_the_timestamps_part_sweeps(nwb):
    recording = read(nwb(long_pair))
    check_sweeps(recording)
    assert recording.notes == ("r has 3 pauses in its timestamps: cut into 4 sweeps",)

    def aborted(put):  # the last sweep is shorter, and the stimulus has a rate
        t = np.concatenate([k + T[: 700 if k == 3 else N] / 1e3 for k in range(4)])
        put(R, np.concatenate([V, V + 1, V + 2, V[:700]]) / 1e3, "volts", RESPONSE, timestamps=t)
        put(S, np.concatenate([I, np.zeros(9000)] * 4) / 1e9, "amperes", STIMULUS)

    recording = read(nwb(aborted))
    assert [len(s.voltage) for s in recording.sweeps] == [N, N, N, 700]
    for k, sweep in enumerate(recording.sweeps[:3]):
        check(sweep, V + k, I)


def test_a_time_that_starts_again_parts_sweeps(nwb):
    def build(put):
        for path, values, unit, kind in (
            (R, np.concatenate([V + k for k in range(4)]) / 1e3, "volts", RESPONSE),
            (S, np.concatenate([k * I for k in range(4)]) / 1e9, "amperes", STIMULUS),
        ):
            put(path, values, unit, kind, timestamps=np.tile(T, 4) / 1e3)

    check_sweeps(read(nwb(build)))


@pytest.mark.parametrize(
    "times",
    [
        np.where(np.arange(4 * N) < 300, 0, 50.0) + np.arange(4 * N) * 0.1,  # a pause where no sweep ends
        np.arange(4 * N) * 0.1 + 0.2 * (np.arange(4 * N) // N),  # two samples lost every 1000
        np.arange(4 * N) * 0.1 - 80.0 * (np.arange(4 * N) // N == 2),  # goes back
    ],
)
def test_lost_samples_are_no_pauses(nwb, times):
    with pytest.raises(FileError, match="must be even"):
        read(nwb(lambda put: put(R, np.tile(V, 4) / 1e3, "volts", RESPONSE, timestamps=times / 1e3)))


def test_a_table_of_intervals_parts_sweeps(nwb):
    def build(put):
        long_pair(put, pause=0.0, stamps=False)
        begins = np.array([0.0, 0.1, 0.2, 0.3, 0.1])
        put.file["intervals/sweeps/start_time"] = begins
        put.file["intervals/sweeps/stop_time"] = begins + 0.0999

    recording = read(nwb(build))
    check_sweeps(recording)
    assert recording.notes == ("the file has a table of 4 sweeps: cut into 4 sweeps",)


# Steps


def test_times_of_a_late_hour_give_the_same_step(nwb):
    """Timestamps as seconds since 1970 have only some 4 digits left for the step."""

    def build(put):
        for k in range(3):
            t = 1.7e9 + 7.3 * k + T / 1e3
            put(f"{R}{k}", (V + k) / 1e3, "volts", RESPONSE, k, timestamps=t)
            put(f"{S}{k}", k * I / 1e9, "amperes", STIMULUS, k, timestamps=t)

    recording = read(nwb(build))
    check_sweeps(recording, 3)
    assert recording.dt == 0.1
    assert recording.notes == ()


def test_rows_of_other_rates_are_told_apart(nwb):
    t = [k + np.arange(N) * (1e-4 if k < 2 else 2e-4) for k in range(3)]

    def build(put):
        put(R, np.tile(V, 3) / 1e3, "volts", RESPONSE, timestamps=np.concatenate(t))
        put(S, np.tile(I, 3) / 1e9, "amperes", STIMULUS, timestamps=np.concatenate(t))
        rows(put, [((k * N, N, R), (k * N, N, S)) for k in range(3)])

    recording = read(nwb(build))
    assert len(recording.sweeps) == 2
    assert recording.notes == ("sweep 2 left out: a time step of 0.2 ms, where most have 0.1 ms",)


def test_timestamps_that_are_not_as_many_as_the_samples(nwb):
    with pytest.raises(FileError, match="r has 1000 samples but 999 timestamps"):
        read(nwb(lambda put: put(R, V / 1e3, "volts", RESPONSE, timestamps=T[:-1] / 1e3)))


def test_a_link_that_names_a_series_again_is_no_sweep(nwb):
    def build(put):
        pair(put, 0)
        put.file["acquisition/again"] = put.file["acquisition/r0"]

    recording = read(nwb(build))
    assert len(recording.sweeps) == 1
    with pytest.raises(RecordingError, match="the file holds no stimulus"):
        read(nwb(lambda put: put(R, V / 1e3, "volts", RESPONSE, 0))).require_fit()
