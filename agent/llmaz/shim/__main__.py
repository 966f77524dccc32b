"""Learn the engine's directory, take its lock, detach from who started us, serve.

The directory comes through standard input, so that a shim may be started before it is needed. One
that is told none until the end of input ends too: its starter has died, or needs it no more.

The starter waits for the first process to end: 0 says that the socket answers, 75 that another
shim holds the lock. From then on nobody is this process's parent but init, and it has a session of
its own.
"""

import fcntl
import os
import sys

from llmaz.shim import crash, proc, protocol
from llmaz.shim.adopt import engine_of
from llmaz.shim.output import Output
from llmaz.shim.server import Server

LOCKED = 75  # EX_TEMPFAIL


def main() -> int:
    """Run the shim of one engine; its files are in the directory that it is told."""
    with open(0, "rb", closefd=False) as told:
        directory = told.read()
    if not directory:
        return 0
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # nothing of the starter's is for the engine
    os.chdir(directory)
    os.umask(0o077)
    lock = os.open(protocol.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return LOCKED
    _redirect()
    ready, tell = os.pipe()
    if os.fork() > 0:
        os.close(tell)
        os._exit(0 if os.read(ready, 1) else 1)  # at once: the starter waits for it
    os.close(ready)
    os.setsid()
    _serve(tell)
    return 0


def _redirect() -> None:
    """Write what goes wrong from here on beside the engine's files."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(protocol.SHIM_LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(nothing)
    os.close(log)


def _serve(tell: int) -> None:
    effects = crash.Effects("shim", os.environ.pop(crash.VARIABLE, ""))
    proc.become_subreaper()
    output = Output()
    server = Server(engine_of(output, effects), output, effects)
    os.write(tell, b"+")
    os.close(tell)
    server.run()


if __name__ == "__main__":
    sys.exit(main())
