"""The errors that a user may see. The text of each is one sentence; each kind has its exit code of the command line."""


class SpikefabError(Exception):
    """A mistake or a limit that a user can act on. The text is one plain sentence that says what, where and what to do."""

    exit_code = 1


class UsageError(SpikefabError):
    """An option, model, board or parameter does not exist or makes no sense."""

    exit_code = 2


class FileError(SpikefabError):
    """A file cannot be read, or is of the wrong kind."""

    exit_code = 3


class RecordingError(SpikefabError):
    """A recording can be read but not fitted."""

    exit_code = 4


class ToolError(SpikefabError):
    """An external tool is missing, or it failed."""

    exit_code = 5


class DoesNotFitError(SpikefabError):
    """A design needs more of some resource than the FPGA has."""

    exit_code = 6


class TimingError(SpikefabError):
    """Place and route could not make the design fast enough for the board's clock."""

    exit_code = 7


class MismatchError(SpikefabError):
    """Hardware and reference differ in some step. This is always a defect: no tolerance applies."""

    exit_code = 8
