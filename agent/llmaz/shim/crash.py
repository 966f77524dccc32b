"""Places to die: each effect on the world is announced here, so that a test can end it there.

`LLMAZ_CRASH_AT=shim:7` kills the shim at its seventh effect, `agent:3` the agent at its third.
Unset, an announcement is an integer's increment.
"""

import os
import signal

VARIABLE = "LLMAZ_CRASH_AT"


class Effects:
    """Counts the effects of one program."""

    def __init__(self, program: str, setting: str) -> None:
        name, _, number = setting.partition(":")
        self._fatal = int(number) if name == program and number.isdecimal() else 0
        self._count = 0

    def announce(self, effect: str) -> None:
        """Say that `effect` comes next."""
        self._count += 1
        if self._count == self._fatal:
            os.write(2, f"ending at effect {self._count}: {effect}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)
