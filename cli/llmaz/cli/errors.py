"""What goes wrong, for people: a sentence, a hint, and an exit code that scripts can tell apart."""

FAILED = 1
USAGE = 2
NOT_FOUND = 3
UNREACHABLE = 4
INTERRUPTED = 130

EXIT_CODES = """\
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such object, 4 API server or gateway not reached,
130 interrupted.
"""


class CliError(Exception):
    """A command that can't go on."""

    def __init__(self, message: str, *, hint: str = "", code: int = FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code
