"""A command beside the engine, in its container: what probes and hooks of a runtime run.

A child of the shim's waits for it and tells how it ended, so that the shim itself never waits.
"""

import json
import os
import select
import signal
import socket

from llmaz.shim import protocol
from llmaz.shim.spawn import Spec, spawn

NOT_EXECUTED = 127
TOO_LATE = 124


def begin(client: socket.socket, spec: Spec, seconds: float) -> None:
    """Run a command for so long at most; its exit code is told as an event of this connection."""
    if os.fork() > 0:
        return
    try:
        signal.set_wakeup_fd(-1)
        # Nothing of the shim's is held by a command: neither its lock nor other connections.
        os.dup2(client.fileno(), 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        told = {
            "v": protocol.VERSION,
            "event": protocol.EXECUTED_EVENT,
            "code": _run(spec, seconds),
        }
        os.write(3, json.dumps(told).encode() + b"\n")
    finally:
        os._exit(0)


def _run(spec: Spec, seconds: float) -> int:
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        pid = spawn(spec, sink, None)
    except OSError:
        return NOT_EXECUTED
    poll = select.poll()
    poll.register(os.pidfd_open(pid), select.POLLIN)
    if not poll.poll(seconds * 1000):
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return TOO_LATE
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)
