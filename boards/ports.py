"""Serial ports: finds the one of a board by its USB ids, and opens it."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import serial
from serial.tools import list_ports

from spikefab.errors import BoardError

from .table import BOARDS, Board

WAIT = 0.002  # s that a read waits for the first byte


class Port:
    """An open serial port, as `connection.Line`."""

    def __init__(self, line: Any) -> None:
        self._line, self.name = line, str(line.port)

    def read(self) -> bytes:
        try:
            return self._line.read(max(1, self._line.in_waiting))
        except (OSError, serial.SerialException):
            raise BoardError(f"{self.name} is gone: was the board unplugged?") from None

    def write(self, data: bytes) -> None:
        try:
            self._line.write(data)
        except serial.SerialTimeoutException:
            raise BoardError(f"{self.name} takes no bytes: is it the port of the board?") from None
        except (OSError, serial.SerialException):
            raise BoardError(f"{self.name} is gone: was the board unplugged?") from None


@contextmanager
def open_port(path: str | None, boards: Sequence[Board], baud: int) -> Iterator[Port]:
    """Open a serial port; None: the one of a board of these kinds. Raises BoardError."""
    path = find_port(boards) if path is None else path
    try:
        line = serial.Serial(path, baud, timeout=WAIT, write_timeout=2, exclusive=True)
    except ValueError:
        raise BoardError(f"{path} cannot be set to {baud} baud: give another --baud.") from None
    except (OSError, serial.SerialException) as error:
        raise BoardError(_why(path, baud, error)) from None
    with line:
        with suppress(ValueError, OSError, AttributeError):  # else an FTDI chip keeps each answer back for 16 ms
            line.set_low_latency_mode(True)
        yield Port(line)


def find_port(boards: Sequence[Board]) -> str:
    """The path of the port of a board of these kinds, by its USB ids. Raises BoardError if there is none, or more than one."""
    chosen = [
        *dict.fromkeys(str(port.device) for board in boards for port in _ports(board))
    ]  # several have the same ids
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise BoardError(f"{len(chosen)} ports may be of a board: give one of {', '.join(chosen)} with --port.")
    ids = " or ".join(dict.fromkeys(f"{board.usb[0]:04x}:{board.usb[1]:04x}" for board in boards if board.usb))
    if not ids:
        name, pins = boards[0].name, boards[0].pins_are
        raise BoardError(
            f"no USB chip is on the serial line of {name}: connect an adapter of 3.3 V ({pins}), and give --port."
        )
    raise BoardError(f"no board is connected (USB {ids}): plug it in, or give its port with --port.")


def connected() -> dict[str, list[Board]]:
    """The ports whose USB ids are those of known boards, by path, and these boards; it may be another device with these ids."""
    found: dict[str, list[Board]] = {}
    for board in BOARDS.values():
        for port in _ports(board):
            found.setdefault(str(port.device), []).append(board)
    return found


def _ports(board: Board) -> list[Any]:
    """The serial ports that may be of such a board."""
    if board.usb is None:
        return []
    vendor, product, interface = board.usb
    ports = [p for p in list_ports.comports() if (p.vid, p.pid) == (vendor, product)]
    # a chip with two ports has a port for each; the location of the second ends in 1.1
    return [p for p in ports if interface == 0 or (p.location or "").endswith(f":1.{interface}")] or ports[interface:]


def _why(path: str, baud: int, error: Exception) -> str:
    under = error.__cause__ or error.__context__  # termios.error has its number as first argument
    number = (
        getattr(error, "errno", None) or getattr(under, "errno", None) or next(iter(getattr(under, "args", ())), None)
    )
    text = str(error)
    if number in (errno.EACCES, errno.EPERM):
        return (
            f"{path} may not be opened: add yourself to its group (sudo usermod -aG dialout $USER), and log in again."
        )
    if number in (errno.EBUSY, errno.EAGAIN) or "lock" in text:
        return f"{path} is in use by another program: close that first."
    if number == errno.ENOENT:
        return f"there is no port {path}: see ls /dev/ttyUSB* /dev/ttyACM*."
    if number in (errno.ENOTTY, errno.EINVAL, errno.ENODEV, errno.ENXIO, errno.EISDIR):
        return f"{path} is no serial port, or cannot be set to {baud} baud."
    return f"{path} cannot be opened: {text}."
