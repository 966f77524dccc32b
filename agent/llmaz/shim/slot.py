"""The shim as the first process of a slot's container, and what its hooks and probes run.

`run` serves until the pod ends. `drain` is the hook before that: the agent is told, finishes the
engine's requests and stops it, and the hook returns when it has. `probe` asks the one that runs.
The slot's directory is shared with the node's agent; nothing else is.
"""

import contextlib
import fcntl
import json
import os
import socket
import sys
import time

from llmaz.shim import crash, proc, protocol
from llmaz.shim.adopt import engine_of
from llmaz.shim.container import DIRECTORY, GRACE, Container
from llmaz.shim.output import Output
from llmaz.shim.server import Server

LOCKED = 75  # EX_TEMPFAIL
_UNHEARD_SECONDS = 5.0  # for endpoints to be withdrawn where no agent is there to be asked
_MARGIN_SECONDS = 5.0
_LOCK_SECONDS = 60.0


def main(argv: list[str]) -> int:
    """Do what the container's command, its hook or its probe says."""
    directory = os.environ.get(DIRECTORY, "/run/llmaz/slot")
    match argv:
        case ["run"]:
            return run(directory)
        case ["drain"]:
            return drain(directory, float(os.environ.get(GRACE, "30")))
        case ["probe", what]:
            return probe(directory, what)
    sys.stderr.write("usage: run | drain | probe live | probe ready\n")
    return 2


def run(directory: str) -> int:
    """Serve until the pod ends."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir(directory)
    os.umask(0o077)
    lock = os.open(protocol.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not _locked(lock):
        return LOCKED
    effects = crash.Effects("shim", os.environ.pop(crash.VARIABLE, ""))
    proc.become_subreaper()  # for where it is not the first process
    output = Output(mirror=1)  # what the engine says is the container's log as well
    engine = engine_of(output, effects)
    Server(engine, output, effects, Container(dict(os.environ))).run()
    return 0


def _locked(lock: int) -> bool:
    """Take the lock; the agent tries it now and then, and holds it for a moment."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while time.monotonic() < deadline:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return True
    return False


def drain(directory: str, grace: float) -> int:
    """Have the engine's requests finished and the engine stopped, as far as the grace goes."""
    deadline = time.monotonic() + grace
    try:
        with contextlib.closing(_Line(directory)) as line:
            answer = line.ask(protocol.DRAIN)
            if not answer.get("watched"):  # by no agent: endpoints are withdrawn all the same
                time.sleep(min(_UNHEARD_SECONDS, grace))
                return 0
            while line.ask(protocol.STATUS)["status"]["state"] in protocol.LIVING:
                if time.monotonic() > deadline - _MARGIN_SECONDS:
                    break
                time.sleep(0.2)
    except OSError:
        return 1  # the shim is gone: there is nothing to wait for
    return 0


def probe(directory: str, what: str) -> int:
    """Tell by the exit code whether the shim lives, or whether its engine answers requests."""
    try:
        with contextlib.closing(_Line(directory)) as line:
            status = line.ask(protocol.STATUS)["status"]
    except OSError as error:
        sys.stdout.write(f"the shim does not answer: {error}\n")
        return 1
    if what == "ready" and not status["slot"]["ready"]:
        sys.stdout.write("no engine of this slot answers requests\n")
        return 1
    return 0


class _Line:
    """One connection to the shim, for one question at a time."""

    def __init__(self, directory: str) -> None:
        os.chdir(directory)  # an absolute path may exceed the 107 bytes that are allowed
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(10.0)
        self._socket.connect(protocol.SOCKET)
        self._answers = self._socket.makefile("rb")

    def ask(self, operation: str) -> dict:  # type: ignore[type-arg]  # as JSON has it
        request = {"v": protocol.VERSION, "id": 1, "op": operation}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        answer = json.loads(self._answers.readline() or b"{}")
        if not answer.get("ok"):
            raise OSError(answer.get("message", "the shim is ending"))
        return answer  # type: ignore[no-any-return]  # as above

    def close(self) -> None:
        self._answers.close()
        self._socket.close()
