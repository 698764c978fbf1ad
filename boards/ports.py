"""Serial ports: finds the one of a board by its USB ids, and opens it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import serial
from serial.tools import list_ports

from spikefab.errors import BoardError

from .table import Board

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
def open_port(path: str | None, board: Board, baud: int) -> Iterator[Port]:
    """Open a serial port; None: the one of the board. Raises BoardError."""
    path = find_port(board) if path is None else path
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


def find_port(board: Board) -> str:
    """The path of the port with the USB ids of a board. Raises BoardError if there is none, or more than one."""
    vendor, product, interface = board.usb
    ports = [p for p in list_ports.comports() if (p.vid, p.pid) == (vendor, product)]
    # a chip with two ports has a port for each; the name of the second ends in 1.1
    chosen = [p for p in ports if interface == 0 or (p.location or "").endswith(f":1.{interface}")] or ports[interface:]
    if len(chosen) == 1:
        return str(chosen[0].device)
    ids = f"{vendor:04x}:{product:04x}"
    if not chosen:
        raise BoardError(f"no {board.name} is connected (USB {ids}): plug it in, or give its port with --port.")
    names = ", ".join(str(p.device) for p in chosen)
    raise BoardError(f"{len(chosen)} ports may be of {board.name} (USB {ids}): give one of {names} with --port.")


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
