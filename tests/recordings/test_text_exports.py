"""Text that other programs export: HEKA PatchMaster, LabChart, Spike2, LabVIEW, with what varies between files of a program."""

import numpy as np
import pytest

from spikefab.errors import FileError, UsageError
from spikefab.fit.recordings.readers import read

N = 300
T = np.arange(N) * 0.1
STEPS = [np.where((np.arange(N) >= 100) & (np.arange(N) < 200), a, 0.0) for a in (-50.0, 0.0, 100.0)]
VOLTS = [-65 + np.random.default_rng(k).normal(0, 1, N).round(3) for k in range(3)]
OTHER = np.sin(np.arange(N) / 20)


@pytest.fixture
def write(tmp_path):
    """write(lines, name, comma, end) makes a file with decimal points or commas, and its ends of lines. The path."""

    def made(lines, name="a.txt", comma=False, end="\n"):
        text = end.join(line.replace(".", ",") if comma else line for line in lines) + end
        (tmp_path / name).write_bytes(text.encode("latin-1"))
        return tmp_path / name

    return made


def check(recording, sweeps=(0, 1, 2), dt=0.1):
    """Its sweeps are these of VOLTS and STEPS."""
    assert recording.dt == pytest.approx(dt)
    assert len(recording.sweeps) == len(sweeps)
    for sweep, k in zip(recording.sweeps, sweeps, strict=True):
        np.testing.assert_allclose(sweep.voltage, VOLTS[k], atol=1e-3)
        np.testing.assert_allclose(sweep.current * 1e3, STEPS[k], atol=1e-2)


def lines(*columns, delimiter="\t", digits=".7g", start=""):
    return [start + delimiter.join(f"{x:{digits}}" for x in row) for row in zip(*columns, strict=True)]


# HEKA PatchMaster


def heka(columns, sweeps=(0, 1, 2), series="Series_1_1_IV", title="Sweep_1_1_{}_1", delimiter=", ", names=None):
    out = [series, ""]
    for n, k in enumerate(sweeps, 1):
        data = {"t": T / 1e3, "V": VOLTS[k] / 1e3, "I": STEPS[k] * 1e-12, "n": np.arange(N), "x": OTHER}
        out += [title.format(n), delimiter.join(names), *lines(*(data[c] for c in columns), delimiter=delimiter), ""]
    return out


@pytest.mark.parametrize("name", ["a.asc", "a.txt", "a.csv"])
@pytest.mark.parametrize(
    ("columns", "names", "more"),
    [
        ("ntItV", ['"Index"', '"Time[s]"', '"I-mon[A]"', '"Time[s]"', '"V-mon[V]"'], {}),
        ("ntIV", ['"Index"', '"Time[s]"       ', '"Imon-1[A]"', '"Vmon-1[V]"'], {}),
        (
            "tVI",
            ['"Time[s]"', '"Vmon[V]"', '"Imon[A]"'],
            {"title": 'Sweep_1_2_{},  6.114596920E+04, 16:59:05.969, "YLP"'},
        ),
        ("ntVtI", ['"Index"', '"Time[s]"', '"V-mon[V]"', '"Time[s]"', '"Stimulus[A]"'], {"series": "Series_2_3"}),
        (
            "ntxtVtI",
            ['"Index"', '"Time[s]"', '"Adc-3[V]"', '"Time[s]"', '"V-mon[V]"', '"Time[s]"', '"I-mon[A]"'],
            {},
        ),
    ],
)
def test_heka(write, name, columns, names, more):
    check(read(write(heka(columns, names=names, **more), name)))
    check(read(write(heka(columns, names=names, delimiter="\t", **more), name, end="\r\n")))


def test_heka_with_semicolons_and_decimal_commas(write):
    names = ['"Index"', '"Time[s]"', '"I-mon[A]"', '"V-mon[V]"']
    check(read(write(heka("ntIV", names=names, delimiter=";"), comma=True)))


def test_heka_series_in_voltage_clamp_and_with_other_steps_are_left_out(write):
    names = ['"Index"', '"Time[s]"', '"I-mon[A]"', '"V-mon[V]"']
    clamp = heka("ntI", sweeps=(0,), names=names[:3])
    slow = [
        "Sweep_1_3_1",
        ", ".join(names),
        *lines(np.arange(N), T / 500, STEPS[0] * 1e-12, VOLTS[0] / 1e3, delimiter=", "),
    ]
    recording = read(write(clamp + heka("ntIV", names=names) + slow))
    check(recording)
    assert "of 5 sweeps, 1 left out, having no voltage" in recording.notes
    assert "of 4 sweeps, 1 left out, as their step is not 0.1 ms" in recording.notes


def test_heka_of_two_amplifiers(write):
    names = ['"Index"', '"Time[s]"', '"Imon-1[A]"', '"Vmon-1[V]"', '"Vmon-2[V]"']
    path = write(heka("ntIVx", names=names))
    with pytest.raises(UsageError, match="2 voltages side by side"):
        read(path)
    check(read(path, voltage_channel="Vmon-1"))


# LabChart


HEADER = {
    "Interval": "1.0000E-04 s",
    "ExcelDateTime": "4.3174E4\t15/03/2018 10:21:17.1",
    "TimeFormat": "StartOfBlock",
    "DateFormat": "d/M/yyyy",
    "ChannelTitle": "Vm\tIm",
    "Range": "200.000 mV\t1000.00 pA",
    "TopValue": "100.000 mV\t500.00 pA",
    "BottomValue": "-100.000 mV\t-500.00 pA",
}


def labchart(sweeps=(0, 1, 2), timed=True, columns="VI", changes=None, first=True):
    header = {**HEADER, **(changes or {})}
    out = []
    for n, k in enumerate(sweeps):
        data = {"t": T / 1e3, "V": VOLTS[k], "I": STEPS[k], "x": OTHER, "d": T}
        kept = [f"{key}=\t{value}" for key, value in header.items() if value is not None]
        out += kept if first or not n else [line for line in kept if line.startswith(("Interval", "Excel"))]
        out += lines(*(data[c] for c in (["t"] if timed else []) + list(columns)))
    return out


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"timed": False},
        {
            "changes": {
                "TopValue": None,
                "BottomValue": None,
                "ExcelDateTime": None,
                "TimeFormat": None,
                "DateFormat": None,
            }
        },
        {"changes": {"Interval": "0.1 ms"}},
        {"changes": {"Interval": "100 µs", "Range": None}},
        {"changes": {"Interval": None}},
        {"changes": {"Range": "10.000 V\t10.000 V", "UnitName": "mV\tpA"}},
        {"changes": {"UnitName": "*\t*"}},
        {"changes": {"ChannelTitle": '"Vm"\t"Im"\t'}},
        {"changes": {"ChannelTitle": "Channel 1\tChannel 2"}},
        {"changes": {"ChannelTitle": None}},
        {"columns": "VIx", "changes": {"ChannelTitle": "Vm\tIm\tTrigger", "Range": "200 mV\t1000 pA\t10.0 V"}},
        {"columns": "xVI", "changes": {"ChannelTitle": "Pressure\tVm\tIm", "Range": "9 mmHg\t200 mV\t1000 pA"}},
        {"first": False},
    ],
)
def test_labchart(write, more):
    plain = labchart(**more)
    check(read(write(plain)))
    check(read(write(plain, end="\r\n", name="a.csv")))
    said = [line + "\t#* a comment" if line[0] in "012" and k % 50 == 20 else line for k, line in enumerate(plain)]
    said.insert(40, "#* a comment alone")
    check(read(write(said)))
    check(read(write(plain, comma=True)))


def test_labchart_with_dates_and_times_of_day(write):
    out = [f"{key}=\t{value}" for key, value in HEADER.items()]
    rows = [f"15/03/2018\t10:21:{x / 1e3:.4f}\t{v}\t{i}" for x, v, i in zip(T, VOLTS[0], STEPS[0], strict=True)]
    check(read(write(out + rows)), [0])
    rows = [f"10:21:{x / 1e3:.4f}\t{v}\t{i}" for x, v, i in zip(T, VOLTS[0], STEPS[0], strict=True)]
    check(read(write(out + rows)), [0])


def test_labchart_times_of_few_digits_take_the_interval(write):
    out = [f"{key}=\t{value}" for key, value in HEADER.items()]
    rows = [f"{x / 1e3:.3f}\t{v}\t{i}" for x, v, i in zip(T, VOLTS[0], STEPS[0], strict=True)]
    recording = read(write(out + rows))
    check(recording, [0])
    assert "the time step is that of the header, 0.1 ms" in recording.notes[0]


def test_labchart_interval_that_contradicts_the_times(write):
    with pytest.raises(FileError, match=r"go on by 0\.1 ms, but its header gives a sample step of 0\.2 ms"):
        read(write(labchart((0,), changes={"Interval": "0.0002 s"})))
    with pytest.raises(FileError, match="holds no line of numbers"):
        read(write([*labchart(()), "Interval=\t0.1 ms"]))


# Spike2


def spike2(
    sweeps=(0,), channels=(("1", "Vm", "mV"), ("2", "Im", "nA")), summary=True, comment=True, delimiter="\t", rate=10000
):
    out = ['"INFORMATION"', '"cell 3"', '""', '""']
    quoted = [f'"{n}"{delimiter}"Waveform"{delimiter}"{title}"{delimiter}"{unit}"' for n, title, unit in channels]
    if summary:
        out += ['"SUMMARY"', *(f"{line}{delimiter}{rate}{delimiter}{rate}{delimiter}1{delimiter}0" for line in quoted)]
        out += [f'"31"{delimiter}"Marker"{delimiter}"Keyboard"']
    for n, title, unit in channels:
        out += [f'"CHANNEL"{delimiter}"{n}"', '"Waveform"', *(['"No comment"'] if comment else [])]
        out += [f'"{title}"', f'"{unit}"{delimiter}{rate}']
        for p, k in enumerate(sweeps):
            values = {"mV": VOLTS[k], " volt": VOLTS[k] / 1e3, "nA": STEPS[k] / 1e3, "pA": STEPS[k], "V": OTHER}[unit]
            shift = 0.00003 if unit == "nA" else 0
            out += [f'"START"{delimiter}{p + shift:.5f}{delimiter}0.000100', *(f"{x:.7g}" for x in values)]
    out += [f'"CHANNEL"{delimiter}"31"', '"Marker"', '"No comment"', '"Keyboard"', f'0.10000{delimiter}"A"']
    return out


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"sweeps": (0, 1, 2)},
        {"summary": False},
        {"comment": False},
        {"sweeps": (2, 1), "summary": False, "comment": False},
        {"channels": (("1", "Im", "pA"), ("2", "untitled", " volt"))},
        {"channels": (("1", "Stim trig", "V"), ("3", "Vm", "mV"), ("7", "Im", "nA"))},
        {"rate": 10000.5},
    ],
)
def test_spike2(write, more):
    for name, end in (("a.txt", "\n"), ("a.csv", "\r\n")):
        check(
            read(write(spike2(**more), name, end=end)),
            more.get("sweeps", (0,)),
            0.1 if "rate" not in more else 0.099995,
        )
    if more.get("channels") is None:
        check(
            read(write(spike2(**more), comma=True)), more.get("sweeps", (0,)), 0.1 if "rate" not in more else 0.099995
        )


def test_spike2_channels_of_different_rates(write):
    out = spike2()
    start = out.index('"START"\t0.00003\t0.000100')
    out[start] = '"START"\t0.00000\t0.000500'
    end = out.index('"CHANNEL"\t"31"')
    out[start + 1 : end] = [f"{x / 1e3:.7g}" for x in STEPS[0][::5]]
    out[out.index('"nA"\t10000')] = '"nA"\t2000'
    out = [line.replace('"nA"\t10000\t10000', '"nA"\t2000\t2000') for line in out]
    recording = read(write(out))
    check(recording, [0])
    assert "Im (nA) is sampled every 0.5 ms only: each value is held until the next" in recording.notes


def test_spike2_of_two_cells_and_of_events_only(write):
    path = write(spike2(channels=(("1", "Vm A", "mV"), ("2", "Vm B", "mV"), ("3", "Im", "nA"))))
    with pytest.raises(UsageError, match=r"Vm A \(mV\).*Vm B"):
        read(path)
    check(read(path, voltage_channel="Vm A"), [0])
    with pytest.raises(FileError, match="holds no line of numbers"):
        read(write(['"INFORMATION"', '"CHANNEL"\t"31"', '"Evt+"', '"No comment"', '"beat"', "0.1", "0.2"]))
    bad = spike2()
    bad[bad.index('"START"\t0.00000\t0.000100') + 3] = "abc"
    with pytest.raises(FileError, match="line 17: 'abc' is not a number"):
        read(write(bad))


# LabVIEW


def lvm(
    sweeps=(0,),
    x="One",
    units=True,
    heads=True,
    separator="\t",
    sign=".",
    comments=False,
    names=("Vm", "Im"),
    shift=0.0,
):
    out = [
        "LabVIEW Measurement\t",
        "Writer_Version\t2",
        "Reader_Version\t2",
        f"Separator\t{'Tab' if separator != ',' else 'Comma'}",
    ]
    out += [
        f"Decimal_Separator\t{sign}",
        f"Multi_Headings\t{'Yes' if heads else 'No'}",
        f"X_Columns\t{x}",
        "Time_Pref\tAbsolute",
    ]
    out += ["Operator\tuser", "Date\t2018/01/01", "Time\t10:10:10", "***End_of_Header***\t\t"]
    out = [line.replace("\t", separator) for line in out]
    gap = 2 * separator if x == "Multi" else separator
    for n, k in enumerate(sweeps):
        if heads or not n:
            out += [
                "",
                f"Channels{separator}2",
                *(["***Start_Special***", "1.5", "***End_Special***"] if heads else []),
            ]
            out += [
                f"{key}{separator}{gap.join([value] * 2)}{separator}"
                for key, value in (("Samples", f"{N}"), ("X0", "0.0E+0"))
            ]
            out += [f"Y_Unit_Label{separator}Volts{gap}Amps{separator}"] if units else []
            out += [f"X_Dimension{separator}Time{gap}Time", f"Delta_X{separator}{gap.join(['1.0000E-4'] * 2)}"]
            out += ["***End_of_Header***" + 2 * separator]
            title = ["X_Value", names[0], *(["X_Value"] if x == "Multi" else []), names[1], "Comment"]
            out += [separator.join(title)]
        v, i, t = VOLTS[k] / 1e3, STEPS[k] * 1e-12, T / 1e3 + n * shift
        columns = {"One": (t, v, i), "Multi": (t, v, t, i), "No": (v, i)}[x]
        out += lines(
            *columns,
            delimiter=separator,
            digits=".7g",
            start=separator if x == "No" else "",
        )
    if comments:
        out[-10] += separator + "stimulus on"
    return out


@pytest.mark.parametrize("x", ["One", "Multi", "No"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"comments": True},
        {"sweeps": (0, 1, 2)},
        {"units": False},
        {"sweeps": (2, 0), "heads": True, "comments": True},
    ],
)
def test_labview(write, x, more):
    out = lvm(x=x, **more)
    for name, end in (("a.lvm", "\r\n"), ("a.txt", "\n")):
        check(read(write(out, name, end=end)), more.get("sweeps", (0,)))


def test_labview_with_commas(write):
    check(read(write(lvm(separator=",", sweeps=(0, 1)), "a.lvm")), (0, 1))
    tabs = lvm(sign=",", sweeps=(2,))
    check(read(write(tabs, "a.lvm", comma=True)), (2,))


def test_labview_segments_that_go_on(write):
    whole = read(write(lvm(sweeps=(0, 1, 2), shift=N * 1e-4)))
    assert [len(s.voltage) for s in whole.sweeps] == [3 * N]
    np.testing.assert_allclose(whole.sweeps[0].voltage, np.concatenate(VOLTS), atol=1e-3)
    again = read(write(lvm(sweeps=(0, 1, 2), heads=False)))
    assert [len(s.voltage) for s in again.sweeps] == [N] * 3


def test_labview_channels_in_volts_only(write):
    path = write(lvm(units=False, names=("Untitled (Volts)", "Untitled 1 (Volts)")))
    with pytest.raises(UsageError, match="side by side"):
        read(path)
    recording = read(path, voltage_channel="Untitled", current_channel="Untitled 1", units=",pA")
    np.testing.assert_allclose(recording.sweeps[0].voltage, VOLTS[0], atol=1e-3)


# Any other program that writes its names again


def test_names_that_stand_above_each_sweep(write):
    rows = [lines(T, v, i, delimiter=",") for v, i in zip(VOLTS, STEPS, strict=True)]
    for names in (["t_ms,V_mV,I_pA"], ["t,V,I", "ms,mV,pA"]):
        path = write([*names, *rows[0], "", "sweep 2", *names, *rows[1], *names, *rows[2]])
        check(read(path))
    rows[1][5] = "0.5,abc,0"
    with pytest.raises(FileError, match=f"line {N + 8}: 'abc' is not a number"):
        read(write(["t_ms,V_mV,I_pA", *rows[0], "t_ms,V_mV,I_pA", *rows[1]]))


@pytest.mark.parametrize(
    "clock", ["10:21:{:07.4f}", "2018-03-15 10:21:{:07.4f}", "15/03/2018 10:21:{:07.4f}", "2018-03-15T10:21:{:.4f}Z"]
)
def test_times_of_day(write, clock):
    rows = [f"{clock.format(17 + t / 1e3)},{v},{i}" for t, v, i in zip(T, VOLTS[0], STEPS[0], strict=True)]
    recording = read(write(["Timestamp,Vm (mV),Im (pA)", *rows]))
    check(recording, [0])
    assert recording.notes[0] == "the times of day are read as seconds"


# As the current of another file


def test_an_exported_current(write):
    path = write(lines(T, VOLTS[0], VOLTS[1], VOLTS[2], digits=".6g"), "v.txt")
    path.write_text("t_ms\tV0_mV\tV1_mV\tV2_mV\n" + path.read_text())
    names = ['"Index"', '"Time[s]"', '"I-mon[A]"']
    check(read(path, current=write(heka("ntI", names=names), "i.asc")))
    check(read(path, current=write(labchart(), "i.txt")))
