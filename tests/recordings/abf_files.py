"""Writes ABF 1 files with the whole header, whose fields a test sets: units, outputs, epochs, alternation, stimulus files."""

import struct
from pathlib import Path

import numpy as np

SIZE = 6144  # bytes of the header
# name: (format of one value, byte of the first). Two values of an array belong to outputs 0 and 1; an epoch of output 0 is
# one of ten values, followed by the ten of output 1.
FIELDS = {
    "mode": ("h", 8), "episodes": ("i", 146), "holding": ("f", 1394), "enable": ("h", 2296), "source": ("h", 2300),
    "keeps": ("h", 2304), "kind": ("h", 2308), "level": ("f", 2348), "level_step": ("f", 2428), "duration": ("i", 2508),
    "duration_step": ("i", 2588), "period": ("i", 2136), "width": ("i", 2216), "scale": ("f", 2708), "offset": ("f", 2716),
    "episode": ("i", 2724), "channel": ("h", 2732), "train": ("h", 3260), "user_list": ("h", 3360), "leak": ("h", 4456),
    "alternates": ("h", 5876), "second_step": ("f", 126), "clock_change": ("i", 194), "first": ("h", 162),
    "ltp": ("h", 5814), "ltp_use": ("h", 5816), "added": ("f", 5298), "telegraph": ("h", 4512), "additional": ("f", 4576),
    "amplifier": ("h", 4768),
}  # fmt: skip


def write_abf(path: Path, channels, *, dt=0.1, outputs=("pA", "mV", "mV", "mV"), file="", **fields) -> Path:
    """An ABF 1 file.

    channels  (name, unit, sweeps) of each: the sweeps are (T,) in that unit
    dt        sample step, ms
    outputs   units of the four outputs
    file      path of the stimulus file of output 0
    fields    values of header fields, see FIELDS; a sequence for several outputs or epochs
    """
    count, sweeps = len(channels), len(channels[0][2])
    length = len(channels[0][2][0])
    header = bytearray(SIZE)

    def put(kind, byte, *values):
        for k, value in enumerate(values):
            struct.pack_into(kind, header, byte + k * struct.calcsize(kind), value)

    header[:4] = b"ABF "
    put("f", 4, 1.84)
    put("i", 10, count * sweeps * length)
    put("i", 16, sweeps, 20200101)
    put("f", 32, 1.84)
    put("h", 36, 1)
    put("i", 40, SIZE // 512)
    put("h", 120, count)
    put("f", 122, dt * 1e3 / count)
    put("i", 138, length * count)
    put("f", 244, 10.0, 10.0)
    put("i", 252, 32768, 32768)
    put("h", 378, *range(16))
    put("h", 410, *range(count), *([-1] * (16 - count)))
    for byte in (730, 922, 1050):  # gain of the digitizer, scale of the instrument, gain of the signal
        put("f", byte, *([1.0] * 16))
    codes = []
    for k, (name, unit, values) in enumerate(channels):
        put("10s", 442 + 10 * k, name.encode("latin-1").ljust(10))
        put("8s", 602 + 8 * k, unit.encode("latin-1").ljust(8))
        scale = 9.9 / max(1e-9, max(float(np.max(np.abs(v))) for v in values))
        put("f", 922 + 4 * k, scale)
        codes.append(np.round(np.array(values) * struct.unpack_from("f", header, 922 + 4 * k)[0] * 3276.8))
    for n, unit in enumerate(outputs):
        put("10s", 1306 + 10 * n, f"Cmd {n}".encode().ljust(10))
        put("8s", 1346 + 8 * n, unit.encode().ljust(8))
    header[2736 : 2736 + len(file)] = file.encode("latin-1")
    usual = {"mode": 5, "episodes": sweeps, "enable": 1, "source": 2 if file else 1, "scale": 1.0}
    for name, value in (usual | fields).items():
        put(*FIELDS[name], *np.atleast_1d(value).tolist())
    path.write_bytes(bytes(header) + np.stack(codes, axis=-1).astype("<i2").tobytes())
    return path


def write_atf(path: Path, sweeps, *, dt=0.1, unit="pA", signals=("IN 0",)) -> Path:
    """An Axon text file; `sweeps` are the columns (T,), in turn of each signal."""
    titles = [f"Trace #{k // len(signals) + 1} ({unit})" for k in range(len(sweeps))]
    columns = np.column_stack([np.arange(len(sweeps[0])) * dt / 1e3, *sweeps])
    names = "\t".join(f'"{signals[k % len(signals)]}"' for k in range(len(sweeps)))
    lines = ["ATF\t1.0", f"2\t{len(sweeps) + 1}", '"Comment="', f'"Signals="\t{names}']
    lines.append("\t".join(f'"{title}"' for title in ("Time (s)", *titles)))
    lines += ["\t".join(f"{x:.9g}" for x in row) for row in columns]
    path.write_text("\n".join(lines) + "\n")
    return path
