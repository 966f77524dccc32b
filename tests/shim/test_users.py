"""A shim of a user without privileges, and users who are not the shim's."""

import os
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from llmaz.shim import protocol
from llmaz.shim.__main__ import main
from support.shims import Connection, end, wait_until

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


def as_nobody(work: Callable[[], None]) -> int:
    """Run `work` in a child process of an unprivileged user; return its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def open_to_all(directory: Path) -> None:
    """Let everybody pass through the directories of the test, up to where all of them are."""
    for path in (directory, *directory.parents):
        if path == Path(tempfile.gettempdir()):
            break
        path.chmod(0o755)


@needs_root
def test_a_connection_of_another_user_is_closed_unheard(shim: Connection, directory: Path) -> None:
    open_to_all(directory)
    path = directory / protocol.SOCKET
    path.chmod(0o666)  # as if somebody had been careless: the shim still looks who it is

    def ask() -> None:
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(path))
            try:
                other.sendall(b'{"v": 1, "id": 1, "op": "status"}\n')
                assert other.recv(1) == b""
            except (BrokenPipeError, ConnectionResetError):
                return

    assert as_nobody(ask) == 0
    assert shim.status()["state"] == "idle"


@needs_root
def test_a_shim_needs_no_privileges(tmp_path: Path) -> None:
    directory = tmp_path / "engine"
    directory.mkdir()
    os.chown(directory, NOBODY, NOBODY)
    open_to_all(directory)
    told, tell = os.pipe()
    os.write(tell, os.fsencode(directory))
    os.close(tell)

    def run() -> None:
        os.dup2(told, 0)
        sys.exit(main())  # it detaches itself, and this process ends with its verdict

    try:
        as_nobody(run)
        wait_until((directory / protocol.SOCKET).exists, "the shim listens")
        with Connection(directory) as shim:
            started = shim.start("/bin/sleep", "1000", env={})["status"]
            owner = Path(f"/proc/{started['engine'][0]}").stat().st_uid
            assert owner == NOBODY
            shim.ask("stop", grace=10)
            assert shim.wait_clear()["exit"]["signal"] == 15
    finally:
        os.close(told)
        end(directory)
