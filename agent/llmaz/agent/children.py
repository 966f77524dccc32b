"""What every child program of the agent does first."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when the agent ends, however it ends.

    An end of file on standard input would do for a child that reads it, but not for one that hangs
    in a call.
    """
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the agent ended before the kernel was told
        os._exit(1)
