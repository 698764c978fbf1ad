"""What a user may be told: one sentence each, with the exit code of its kind."""


class SpikefabError(Exception):
    """A mistake or a limit that a user can act on. Its text is one plain sentence: what, where, what to do."""

    exit_code = 1


class UsageError(SpikefabError):
    """An option, model, board or parameter that does not exist or does not make sense."""

    exit_code = 2


class FileError(SpikefabError):
    """A file that cannot be read, or is of the wrong kind."""

    exit_code = 3


class RecordingError(SpikefabError):
    """A recording that can be read but not fitted."""

    exit_code = 4


class ToolError(SpikefabError):
    """An external tool that is missing or broke."""

    exit_code = 5


class DoesNotFitError(SpikefabError):
    """A design larger than its device."""

    exit_code = 6


class TimingError(SpikefabError):
    """A design that place and route could not make fast enough for the board's clock."""

    exit_code = 7


class MismatchError(SpikefabError):
    """Hardware and reference differ: a defect, never a tolerance."""

    exit_code = 8
