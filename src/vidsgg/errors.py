"""What goes wrong because of something the user gave us.

Every error here names the place, the value and the remedy, and the command line prints it as one message and exits with
code 2. Mistakes that only we can make stay ordinary Python exceptions and show their traceback.
"""


class VidsggError(Exception):
    """A mistake in what the user gave; its text is the whole message."""


class ConfigError(VidsggError, ValueError):
    """An option, a value or a combination of options that cannot work."""


class DataError(VidsggError, ValueError):
    """A file or an annotation that is missing, unreadable or contradicts itself."""


class CheckpointError(VidsggError, ValueError):
    """A checkpoint that cannot be read or does not fit the model."""


class ProcessLost(VidsggError):
    """One of several processes of a run is gone, and this one cannot go on alone. The cause is told by the other, not by this."""


class Stopped(KeyboardInterrupt):
    """A run that was asked to stop by a signal and has saved; its text says how to go on. Like the interrupt that it mostly is, it passes
    whoever catches an ``Exception``. code: the exit code of a program that ends by it (130, 143).
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code
