"""Why a start fails: each trouble is one sentence that says what to do, with its own exit code."""


class Trouble(Exception):
    """Something failed that nobody foresaw; the sentence names the log to read."""

    exit_code = 1


class BusyPort(Trouble):
    """A port that this home used before now belongs to another process."""

    exit_code = 10


class FullDisk(Trouble):
    """The disk of the home is full, or nearly."""

    exit_code = 11


class NoNetwork(Trouble):
    """The first start has to download something and cannot."""

    exit_code = 12


class AlreadyRunning(Trouble):
    """Another `parley up` holds this home."""

    exit_code = 13


class NotReady(Trouble):
    """A process started but never became ready."""

    exit_code = 14
