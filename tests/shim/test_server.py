"""The shim's socket: who may speak, what is understood, what is refused, who hears of events."""

import contextlib
import json
import os
import shutil
import signal
import stat
import sys
from pathlib import Path

import pytest

from llmaz.shim import protocol
from llmaz.shim.__main__ import LOCKED
from support.shims import SLEEPER, Connection, end, is_running, launch, wait_until


def test_a_directory_has_one_shim(shim: Connection, directory: Path) -> None:
    assert launch(directory) == LOCKED
    assert shim.status()["state"] == "idle"


def test_only_the_same_user_may_connect(shim: Connection, directory: Path) -> None:
    mode = (directory / protocol.SOCKET).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert shim.status()["v"] == 1


def test_a_watcher_hears_of_start_exit_and_clearance(shim: Connection) -> None:
    shim.ask("watch")
    shim.start(sys.executable, "-I", "-S", "-c", "")
    shim.wait_clear()
    assert shim.events == ["started", "exited", "clear"]


def test_a_death_is_told_without_being_asked(shim: Connection, directory: Path) -> None:
    with Connection(directory) as watcher:
        watcher.ask("watch")
        os.kill(shim.start(*SLEEPER)["status"]["engine"][0], signal.SIGKILL)
        shim.wait_clear()
        watcher.status()
        assert watcher.events == ["started", "exited", "clear"]


def test_a_request_of_an_unknown_version_is_refused(shim: Connection) -> None:
    shim.send(b'{"v": 99, "id": 5, "op": "status"}\n')
    assert shim.read() == {
        "v": 1,
        "id": 5,
        "ok": False,
        "error": "bad-version",
        "message": "this shim speaks version 1",
    }


def test_nonsense_is_refused_and_the_connection_lives(shim: Connection) -> None:
    for line in (b"nonsense\n", b"[]\n", b'{"v": 1, "op": "start"}\n', b'{"v": 1, "op": "fly"}\n'):
        shim.send(line)
        assert shim.read()["error"] == "bad-request"
    assert shim.status()["state"] == "idle"


def test_a_request_that_nests_too_deep_is_refused_and_the_engine_lives(shim: Connection) -> None:
    engine = shim.start(*SLEEPER)["status"]["engine"][0]
    shim.send(b"[" * 100_000 + b"\n")
    assert shim.read()["error"] == "bad-request"
    assert shim.status()["state"] == "running"
    assert is_running(engine)


def test_more_connections_than_anybody_needs_are_closed(shim: Connection, directory: Path) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(63):
            assert held.enter_context(Connection(directory)).status()["state"] == "idle"
        with Connection(directory) as surplus, pytest.raises(ConnectionError):
            surplus.read()
        assert shim.status()["state"] == "idle"
    wait_until(lambda: _is_heard(directory), "there is room for a connection again")


def _is_heard(directory: Path) -> bool:
    try:
        with Connection(directory) as connection:
            return bool(connection.status())
    except ConnectionError:
        return False


def test_output_that_is_no_text_is_told_in_answers_that_arrive(shim: Connection) -> None:
    program = "import os; os.write(1, b'\\xff' * (1 << 18))"
    shim.start(sys.executable, "-I", "-S", "-c", program)
    shim.wait_clear()
    first = shim.ask("logs", limit=1 << 30)
    second = shim.ask("logs", offset=first["next"], limit=1 << 30)
    assert (first["text"] + second["text"], second["next"]) == ("\ufffd" * (1 << 18), 1 << 18)


def test_a_signal_that_there_is_not_is_refused_and_the_engine_lives(shim: Connection) -> None:
    engine = shim.start(*SLEEPER)["status"]["engine"][0]
    assert shim.ask("signal", signal=999)["error"] == "bad-request"
    assert shim.ask("stop", grace=60, signal=999)["error"] == "bad-request"
    assert shim.status()["state"] == "running"
    assert is_running(engine)


@pytest.mark.parametrize("grace", ["NaN", "Infinity", "-Infinity", "true", '"soon"', "9" * 400])
def test_a_grace_that_is_no_time_is_refused_and_the_engine_lives(
    shim: Connection, grace: str
) -> None:
    engine = shim.start(*SLEEPER)["status"]["engine"][0]
    shim.send(b'{"v": 1, "op": "stop", "grace": %s}\n' % grace.encode())
    assert shim.read()["error"] == "bad-request"
    assert shim.status()["state"] == "running"
    assert is_running(engine)


def test_a_shim_that_was_told_to_end_starts_nothing(shim: Connection, directory: Path) -> None:
    start = {"v": 1, "op": "start", "epoch": 1, "fingerprint": "", "argv": list(SLEEPER)}
    late = {**start, "env": {}, "cwd": str(directory)}
    shim.send(b'{"v": 1, "op": "shutdown"}\n' + json.dumps(late).encode() + b"\n")
    assert shim.read()["ok"]
    assert shim.read()["message"] == "the shim is about to end"
    wait_until(lambda: not (directory / protocol.SOCKET).exists(), "the shim has ended")


def test_a_shutdown_waits_for_the_engine(shim: Connection, directory: Path) -> None:
    shim.start(*SLEEPER)
    assert shim.ask("shutdown")["error"] == "busy"
    shim.ask("stop", grace=10)
    shim.wait_clear()
    assert shim.ask("shutdown")["ok"]
    wait_until(lambda: not (directory / protocol.SOCKET).exists(), "the socket is gone")


def test_sigterm_to_the_shim_ends_engine_and_shim(shim: Connection, directory: Path) -> None:
    status = shim.start(*SLEEPER)["status"]
    os.kill(status["shim"][0], signal.SIGTERM)
    wait_until(lambda: not is_running(status["shim"][0]), "the shim has ended")
    assert not is_running(status["engine"][0])


def test_a_long_path_is_no_hindrance(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 100) / ("e" * 100)
    directory.mkdir(parents=True)
    assert launch(directory) == 0
    with Connection(directory) as shim:
        assert shim.status()["state"] == "idle"
    end(directory)


def test_version_1_is_spoken_as_it_was_recorded(shim: Connection) -> None:
    """A shim goes on running when the agent is upgraded: what it says and hears may only grow."""
    recorded = json.loads(Path(__file__).with_name("version1.json").read_text())
    for step in recorded:
        request = json.dumps(step["request"]).replace("PYTHON", sys.executable)
        shim.send(request.encode() + b"\n")
        answer = shim.read()
        if step["request"]["op"] == "start":
            shim.wait_clear()
        assert _contains(answer, step["answer"]), (step["request"], answer)


def test_the_shim_is_small(shim: Connection) -> None:
    status = shim.start(*SLEEPER)["status"]
    for _ in range(50):
        shim.ask("status", tail=True)
    lines = Path(f"/proc/{status['shim'][0]}/status").read_text().splitlines()
    resident = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    assert resident <= 14 * 1024


def _contains(actual: object, expected: object) -> bool:
    if isinstance(expected, dict) and isinstance(actual, dict):
        return all(k in actual and _contains(actual[k], v) for k, v in expected.items())
    return expected == "*" or actual == expected


def test_a_shim_whose_directory_was_deleted_ends(tmp_path: Path) -> None:
    directory = tmp_path / "engine"
    directory.mkdir()
    assert launch(directory) == 0
    with Connection(directory) as shim:
        shim.start("true")
        shim.wait_clear()
    pid = json.loads((directory / protocol.JOURNAL).read_text())["shim"][0]
    shutil.rmtree(directory)
    os.kill(pid, signal.SIGCHLD)  # it looks once a minute, and whenever it is woken
    wait_until(lambda: not is_running(pid), "the shim has ended")
