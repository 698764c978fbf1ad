"""A host for a spikefab board, with pyserial alone: plays a step of current, and prints the voltage and the spikes.

    python host.py PORT CURRENT STEPS        such as: python host.py /dev/ttyUSB1 0.3 1000

CURRENT is in nA. Each line of output has the number of the step, the voltage in mV, and 1 if the neuron spiked, else 0.
docs/board.md describes the frames, and host.c is the same program in C. No register of the neuron is written here: after a
reset the neuron is at rest, and a second run begins with the state in which the first one ended.
"""

import json
import math
import sys
import time

import serial

BAUD = 1_000_000
IDENTIFY, PLAY, CONTROL = 48, 49, 50  # operations: the low six bits of a frame to the board
ANSWER, PAGE, RECORDS = 0, 1, 2  # kinds: the low two bits of a frame from the board
RUN, RESTART = 1, 8  # bits of the control register
PATIENCE = 10  # times that a frame is sent, or that the host waits for 0.3 s, before it gives up
SILENT = "the board does not answer: is it the right port, and was the bitstream flashed?"


def crc(data):
    """CRC-16/IBM-SDLC, its low byte first."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x8408 if value & 1 else 0)
    return (value ^ 0xFFFF).to_bytes(2, "little")


def send(body):
    """COBS: each part between two zeros goes out with its length in front, and a zero ends the frame."""
    parts = (body + crc(body)).split(b"\0")
    port.write(b"".join(bytes([len(part) + 1]) + part for part in parts) + b"\0")


def unstuffed(line):
    """COBS from the end: each part has its length behind it. None if the frame is damaged."""
    parts, end = [], len(line)
    while end > 0:
        start = end - line[end - 1]
        if not 0 <= start < end:
            return None
        parts.insert(0, line[start : end - 1])
        end = start
    body = b"\0".join(parts)
    return body[:-2] if len(body) >= 4 and crc(body[:-2]) == body[-2:] else None


def receive(until):
    """The next good frame: its kind, the number of the frame that the board expects next, its payload. None: time is up."""
    while time.monotonic() < until:
        line, zero, rest = received.partition(b"\0")
        if not zero:
            received.extend(port.read(port.in_waiting or 1))
            continue
        received[:] = rest
        body = unstuffed(line)
        if body is not None:
            if body[0] & 3 == RECORDS:
                records.extend(body[2:])
            return body[0] & 3, body[1] & 3, body[2:]
    return None


def ask(body, answers):
    """Send a frame until the board has answered it, and return the payload of the answer."""
    for _ in range(PATIENCE):
        send(body)
        until = time.monotonic() + 0.3
        while frame := receive(until):
            if answers(*frame):
                return frame[2]
    sys.exit(SILENT)


def command(operation, payload):
    """A frame with a number, which the board carries out only once, even if it arrives twice."""
    global number
    following = (number + 1) % 4
    ask(bytes([number << 6 | operation]) + payload, lambda kind, expected, _: expected == following)
    number = following


def identity():
    """What the board says of itself: a length, JSON and a CRC, in pages of 32 bytes. It then expects frame 0."""
    for _ in range(PATIENCE):
        block, length = b"", 4
        while len(block) < length:
            block += ask(bytes([IDENTIFY, len(block) // 32]), lambda kind, *_: kind == PAGE)
            length = int.from_bytes(block[:2], "little") + 4
        if crc(block[: length - 2]) == block[length - 2 : length]:
            return json.loads(block[2 : length - 2])
        wait_for_silence()  # a page came twice, because the first one was late
    sys.exit("the board's identity is damaged: flash its bitstream again.")


def wait_for_silence():
    until = time.monotonic() + 1
    while time.monotonic() < until and receive(time.monotonic() + 0.05):
        pass


try:
    path, current, steps = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    port = serial.Serial(path, BAUD, timeout=0.01, exclusive=True)
except (IndexError, ValueError):
    sys.exit("usage: python host.py PORT CURRENT STEPS")
except serial.SerialException as error:
    sys.exit(f"{path} cannot be opened: {error}")
received, records, number = bytearray(), bytearray(), 0

port.write(b"\0\0")  # ends whatever the board has received of a frame
board = identity()
if board["link"] != 2:
    sys.exit(f"the board speaks version {board['link']} of the link, and this program version 2.")
code_bytes, entry_bytes, record_bytes = board["bytes"]
scale, top = 2 ** board["i"][1], 2 ** (sum(board["i"]) - 1)  # "i" and "v" are [bits before the point, bits behind it]
if not -top <= current * scale < top - 0.5:
    sys.exit(f"{current:g} nA is beyond the range of the input, {top // scale} nA.")
code = math.floor(current * scale + 0.5)

command(CONTROL, bytes(code_bytes))  # stop
wait_for_silence()  # an earlier host may have left a neuron that runs: its last records come
command(CONTROL, RESTART.to_bytes(code_bytes, "little"))  # no stimulus, step 0
records.clear()
command(CONTROL, RUN.to_bytes(code_bytes, "little"))  # each step waits for stimulus from here on

step = spikes = 0
volts = 0.0
while step < steps:
    more = min(256, steps - step)  # steps for which one entry of the stimulus lasts
    command(PLAY, bytes([more - 1]) + code.to_bytes(entry_bytes - 1, "little", signed=True))
    for _ in range(more):
        waited = 0
        while len(records) < record_bytes:
            waited = 0 if receive(time.monotonic() + 0.3) else waited + 1
            if waited == PATIENCE:
                sys.exit(SILENT)
        head = int.from_bytes(records[:2], "little")  # the number of the step, and in the lowest bit whether it spiked
        volts = int.from_bytes(records[2:record_bytes], "little", signed=True) / 2 ** board["v"][1]
        del records[:record_bytes]
        if head >> 1 != step % 32768:
            sys.exit("the line lost a frame with records: run it again.")
        print(step, f"{volts:.6f}", head & 1)
        step, spikes = step + 1, spikes + (head & 1)
print(f"# {steps} steps, {spikes} spikes, the last voltage is {volts:.6f} mV")
