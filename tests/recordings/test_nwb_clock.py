"""The stimulus of an NWB file is laid over its response by the times of both, and long series are cut into sweeps.

A made current on the session's clock is sampled by stimuli that begin earlier or later, end earlier or later, have another
rate, have a starting time or timestamps, and are series of their own or rows of a long one: the current read is the made one.
"""

import numpy as np
import pytest

from spikefab.fit.recordings.readers import read

from .conftest import RESPONSE, STIMULUS, I, N, T, V, check, rows

ONSETS = (3.0, 5.0, 11.25)  # s at which the sweeps begin
R, S = "acquisition/r", "stimulus/presentation/s"


def made(t):
    """nA at a time (T,) s of the session: in each sweep, k + 1 times .1 nA from 20.2 to 80 ms; `PULSE` has the first."""
    return sum(0.1 * (k + 1) * ((t > b + 0.0201875) & (t < b + 0.0799875)) for k, b in enumerate(ONSETS))


PULSE = made(ONSETS[0] + T / 1e3)


def clocked(t, stamps):
    """How a series of these times is written: all its timestamps, or its starting time and rate."""
    return {"timestamps": t} if stamps else {"begins": t[0], "rate": float(np.round((len(t) - 1) / (t[-1] - t[0]), 3))}


@pytest.mark.parametrize("stamps", [False, True])
@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize(
    ("begins", "lasts", "step"),
    [
        (-10.0, 130.0, 0.1),  # begins earlier, ends later
        (-10.0, 60.0, 0.1),  # ends within the pulse: cut there
        (-10.0, 100.0, 0.1),  # ends at 0 before the response
        (0.0, 130.0, 0.1),
        (10.0, 100.0, 0.1),  # begins later, ends later: as long as the response
        (10.0, 75.0, 0.1),
        (-10.0, 130.0, 0.05),
        (-10.0, 130.0, 0.2),
        (10.0, 100.0, 0.025),
    ],
)
def test_a_stimulus_is_laid_over_its_response_by_time(nwb, begins, lasts, step, stamps, long):
    """`long`: the sweeps are rows (start, count) of one series of responses and one of stimuli, timestamps with pauses."""
    t = [b + T / 1e3 for b in ONSETS]
    n = round(lasts / step)
    s = [b + (begins + np.arange(n) * step) / 1e3 for b in ONSETS]

    def build(put):
        if long:
            put(R, np.tile(V, 3) / 1e3, "volts", RESPONSE, timestamps=np.concatenate(t))
            put(S, made(np.concatenate(s)) / 1e9, "amperes", STIMULUS, timestamps=np.concatenate(s))
            rows(put, [((k * N, N, R), (k * n, n, S)) for k in range(3)])
            return
        for k in range(3):
            put(f"{R}{k}", V / 1e3, "volts", RESPONSE, k, **clocked(t[k], stamps))
            put(f"{S}{k}", made(s[k]) / 1e9, "amperes", STIMULUS, k, **clocked(s[k], stamps))

    recording = read(nwb(build))
    assert [s.name for s in recording.sweeps] == ["0", "1", "2"]
    known = min(N, round((begins + lasts) / 0.1)) if begins + lasts < 80 else N
    for k, sweep in enumerate(recording.sweeps):
        assert len(sweep.voltage) == known
        np.testing.assert_allclose(sweep.voltage, V[:known], atol=1e-9)
        np.testing.assert_allclose(sweep.current, (k + 1) * PULSE[:known], atol=1e-9)
    said = " ".join(recording.notes)
    assert ("10 ms before" in said) == ((begins < 0 and begins + lasts >= 100) or known < N)
    assert ("check both times" in said) == (lasts == 100)
    assert ("0 outside" in said) == (known == N and (begins > 0 or begins + lasts < 100))
    assert ("cut from 100" in said) == (known < N)


def late(put, current, begins=10.0, number=0):
    """One sweep whose stimulus, (T,) nA, begins `begins` ms after its response."""
    put(f"{R}{number}", V / 1e3, "volts", RESPONSE, number, begins=2.0 + number)
    put(f"{S}{number}", current / 1e9, "amperes", STIMULUS, number, begins=2.0 + number + begins / 1e3)


@pytest.mark.parametrize(
    ("current", "begins", "first", "last"),
    [
        (np.full(500, 0.1), 10.0, 0, N),  # a pulse and nothing else: 0 around it
        (np.full(5000, 0.1), 10.0, 0, N),
        (np.sin(np.arange(1, 500)), 10.0, 0, N),
        (np.where(np.arange(500) < 200, 0.0, 0.1), 10.0, 0, N),
        (np.where(np.abs(np.arange(500) - 200) < 50, 0.1, -0.07), 10.0, 100, 600),  # a holding current: unknown outside
        (np.where(np.arange(5000) < 200, -0.07, 0.1), 10.0, 100, N),
        (np.full(500, -0.07), 0.0, 0, 500),  # a constant current from the beginning: nobody knows what comes after it
        (np.concatenate((np.zeros(300), np.full(100, 0.1), np.full(200, np.nan))), 10.0, 0, 500),
    ],
)
def test_outside_of_its_stimulus_a_current_is_0_or_unknown(nwb, current, begins, first, last):
    recording = read(nwb(lambda put: late(put, current, begins)))
    at = round(begins / 0.1)
    whole = np.zeros(N)
    whole[at : at + len(current)] = np.nan_to_num(current[: N - at])
    check(recording.sweeps[0], V[first:last], whole[first:last])
    assert ("cut from" in " ".join(recording.notes)) == (last - first < N)
    assert ("0 outside" in " ".join(recording.notes)) == ((first == 0 and last != 500) or (begins > 0 and first == 0))


def test_stimuli_without_the_clock_of_the_session_begin_with_their_responses(nwb):
    def at_0(put):  # each stimulus begins at 0
        for k in range(3):
            put(f"{R}{k}", V / 1e3, "volts", RESPONSE, k, begins=k * 0.15)
            put(f"{S}{k}", np.tile((k + 1) * I, 3) / 1e9, "amperes", STIMULUS, k)

    def template(put):  # one stimulus for all sweeps
        for k in range(3):
            put(f"{R}{k}", V / 1e3, "volts", RESPONSE, k, begins=5.0 * k)
        put(S, I / 1e9, "amperes", STIMULUS)

    def adrift(put):  # rows of long series without timestamps; a row of the stimulus is longer
        more = np.zeros(50)
        put(R, np.tile(V, 3) / 1e3, "volts", RESPONSE)
        put(S, np.concatenate([x for k in (1, 2, 3) for x in (k * I, more)]) / 1e9, "amperes", STIMULUS)
        rows(put, [((k * N, N, R), (k * (N + 50), N + 50, S)) for k in range(3)])

    def responses_at_0(put):  # only the stimuli have the clock of the session
        for k in range(3):
            put(f"{R}{k}", V / 1e3, "volts", RESPONSE, k)
            put(f"{S}{k}", (k + 1) * I / 1e9, "amperes", STIMULUS, k, begins=0.08 * k)

    for build, factors in ((at_0, (1, 2, 3)), (template, (1, 1, 1)), (adrift, (1, 2, 3)), (responses_at_0, (1, 2, 3))):
        recording = read(nwb(build))
        for sweep, factor in zip(recording.sweeps, factors, strict=True):
            check(sweep, V, factor * I)
        assert any("taken to begin with its response" in note for note in recording.notes)


def test_sweeps_with_a_clock_each_may_have_pulses_at_different_times(nwb):
    def build(put):
        for k in range(3):
            put(f"{R}{k}", V / 1e3, "volts", RESPONSE, k)
            put(f"{S}{k}", np.full(100, 1e-10), "amperes", STIMULUS, k, begins=0.01 * (k + 1))

    for k, sweep in enumerate(read(nwb(build)).sweeps):
        assert sweep.window == (10.0 * (k + 1), 10.0 * (k + 2))


def test_one_stimulus_goes_on_through_all_sweeps(nwb):
    t = np.arange(200_000) / 1e4

    def build(put):
        for k, begins in enumerate(ONSETS):
            put(f"{R}{k}", V / 1e3, "volts", RESPONSE, k, begins=begins)
        put(S, made(t) / 1e9, "amperes", STIMULUS)

    recording = read(nwb(build))
    for k, sweep in enumerate(recording.sweeps):
        check(sweep, V, (k + 1) * PULSE)
    assert recording.notes == ("the stimulus of sweeps 0, 1, 2 begins 3000 to 11250 ms before its response: the two are"
                               " laid together by time",)  # fmt: skip


def test_a_stimulus_of_another_time_is_no_current(nwb):
    def build(put):
        for k in range(3):
            late(put, (k + 1) * I, begins=10.0 if k < 2 else 5e4, number=k)

    recording = read(nwb(build))
    assert [s.name for s in recording.sweeps] == ["0", "1"]
    assert "sweep 2 left out: its stimulus has no samples at its time" in recording.notes


@pytest.mark.parametrize("long", [False, True])
def test_series_that_only_their_times_pair(nwb, long):
    """Stimuli of other names, one more than there are responses; the responses in one series or in three."""

    def build(put):
        t = [b + T / 1e3 for b in ONSETS]
        if long:
            put(R, np.tile(V, 3) / 1e3, "volts", RESPONSE, timestamps=np.concatenate(t))
        for k, begins in enumerate(ONSETS):
            if not long:
                put(f"acquisition/{'abc'[k]}", V / 1e3, "volts", RESPONSE, begins=begins)
            put(f"stimulus/presentation/{'zyx'[k]}", (k + 1) * PULSE / 1e9, "amperes", STIMULUS, begins=begins)
        put("stimulus/presentation/w", 9 * PULSE / 1e9, "amperes", STIMULUS, begins=50.0)

    recording = read(nwb(build))
    for k, sweep in enumerate(recording.sweeps):
        check(sweep, V, (k + 1) * PULSE)
    assert "paired by time" in recording.current_origin

    def same_time(put):
        for k in "abc":
            put(f"acquisition/{k}", V / 1e3, "volts", RESPONSE)
        for k in "zyx":
            put(f"stimulus/presentation/{k}", I / 1e9, "amperes", STIMULUS)

    assert "nothing tells which stimulus belongs to which sweep" in read(nwb(same_time)).current_origin
