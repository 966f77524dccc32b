"""One engine under a real shim: what it knows of it, and that it never lets it go."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from llmaz.shim import proc
from support.shims import (
    FAKE_ENGINE,
    SLEEPER,
    Connection,
    end,
    is_running,
    kill_shim,
    launch,
    wait_until,
)

PYTHON = (sys.executable, "-I", "-S")


def tree(shim: Connection, directory: Path, *switches: str) -> list[int]:
    """Start a fake engine and return the pids of its whole tree, its own first."""
    pids_file = directory / "pids"
    pids_file.unlink(missing_ok=True)
    engine = (*PYTHON, FAKE_ENGINE, "--port", "0", "--pids-file", str(pids_file), *switches)
    assert shim.start(*engine)["ok"]
    wait_until(pids_file.exists, "the engine has started its children")
    pids: list[int] = json.loads(pids_file.read_text())
    return pids


def test_an_exit_code_is_known(shim: Connection) -> None:
    shim.start(*PYTHON, "-c", "import sys; print('no'); sys.exit(3)")
    ended = shim.wait_clear()
    assert (ended["exit"]["code"], ended["exit"]["signal"], ended["tail"]) == (3, None, "no\n")
    assert not ended["exit"]["asked"]


def test_a_signal_is_known(shim: Connection) -> None:
    pid = shim.start(*SLEEPER)["status"]["engine"][0]
    os.kill(pid, signal.SIGSEGV)
    assert shim.wait_clear()["exit"]["signal"] == signal.SIGSEGV


def test_a_program_that_does_not_exist_is_named(shim: Connection) -> None:
    answer = shim.start("no-such-engine")
    assert (answer["ok"], answer["error"]) == (False, "exec-failed")
    assert answer["message"] == "no-such-engine: No such file or directory"
    assert shim.status()["exit"]["error"] == answer["message"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"argv": ["true", "a\0b"]}, "true: embedded null byte"),
        ({"argv": ["true"], "env": {"A": "a\0b"}}, "true: embedded null byte"),
        ({"argv": ["true"], "rlimits": {"nonsense": 1}}, "has no attribute 'RLIMIT_NONSENSE'"),
    ],
)
def test_what_no_program_can_be_given_is_said(
    shim: Connection, fields: dict[str, object], why: str
) -> None:
    asked = {"epoch": 1, "fingerprint": "f", "env": {"PATH": os.environ["PATH"]}, "cwd": "/"}
    answer = shim.ask("start", **(asked | fields))
    assert answer["error"] == "exec-failed"
    assert why in answer["message"]
    assert shim.status()["clear"]


def test_a_limit_that_only_newer_shims_know_is_passed_over(shim: Connection) -> None:
    assert shim.start(*SLEEPER, limits={"disk": 1})["status"]["state"] == "running"


def test_a_lower_epoch_is_refused(shim: Connection) -> None:
    shim.start(*PYTHON, "-c", "", epoch=7)
    shim.wait_clear()
    assert shim.start(*SLEEPER, epoch=6)["error"] == "stale-epoch"
    assert shim.start(*PYTHON, "-c", "", epoch=7)["ok"]


def test_starting_twice_finds_the_first(shim: Connection) -> None:
    first = shim.start(*SLEEPER)["status"]
    again = shim.start(*SLEEPER)["status"]
    assert (again["engine"], again["run"]) == (first["engine"], 1)


def test_another_engine_waits_for_the_end_of_the_first(shim: Connection) -> None:
    shim.start(*SLEEPER)
    assert shim.start(*SLEEPER, fingerprint="other")["error"] == "busy"


def test_a_stop_that_is_heeded_kills_nobody(shim: Connection) -> None:
    handler = (
        "import signal, sys; signal.signal(15, lambda *_: sys.exit(5)); print('up', flush=True)"
    )
    shim.start(*PYTHON, "-c", f"{handler}; signal.pause()")
    wait_until(lambda: "up" in shim.status()["tail"], "the engine is up")
    shim.ask("stop", grace=60)
    ended = shim.wait_clear()["exit"]
    assert (ended["code"], ended["asked"]) == (5, True)


def test_an_engine_that_ignores_sigterm_is_killed_at_the_deadline(
    shim: Connection, directory: Path
) -> None:
    pids = tree(shim, directory, "--ignore-term")
    wait_until(lambda: "serves" in shim.status()["tail"], "the engine ignores SIGTERM")
    shim.ask("stop", grace=0.2)
    assert shim.wait_clear()["exit"]["signal"] == signal.SIGKILL
    assert not any(map(is_running, pids))


@pytest.mark.parametrize("switch", ["--fork", "--setsid", "--double-fork"])
@pytest.mark.parametrize("environment", [(), ("--clear-environment",)], ids=["marked", "unmarked"])
def test_no_child_outlives_its_engine(
    shim: Connection, directory: Path, switch: str, environment: tuple[str, ...]
) -> None:
    pids = tree(shim, directory, switch, "3", *environment)
    os.kill(pids[0], signal.SIGKILL)
    shim.wait_clear()
    assert [pid for pid in pids if is_running(pid)] == []


def test_without_a_cgroup_no_child_outlives_its_engine_either(directory: Path) -> None:
    assert launch(directory, hide_cgroups=True) == 0
    with Connection(directory) as shim:
        every = ("--fork", "2", "--setsid", "2", "--double-fork", "2", "--clear-environment")
        pids = tree(shim, directory, *every)
        assert not Path(str(shim.status()["cgroup"])).exists()
        os.kill(pids[0], signal.SIGKILL)
        shim.wait_clear()
    assert [pid for pid in pids if is_running(pid)] == []


def test_a_process_that_is_always_another_one_is_caught(directory: Path) -> None:
    """Each generation forks the next in a session of its own and ends: no pid lives for long."""
    hop = (
        "import os, time\n"
        "for _ in range(4):\n"
        "    if os.fork() == 0:\n"
        "        while True:\n"
        "            if os.fork(): os._exit(0)\n"
        "            os.setsid()\n"
        "            time.sleep(0.001)\n"
        "print('up', flush=True)\n"
        "time.sleep(1000)\n"
    )
    assert launch(directory, hide_cgroups=True) == 0
    with Connection(directory) as shim:
        shim.start(*PYTHON, "-c", hop)
        wait_until(lambda: "up" in shim.status()["tail"], "the processes hop")
        shim.ask("stop", grace=0)
        status = shim.wait_clear()
        assert proc.descendants(status["shim"][0]) == []


@pytest.mark.parametrize("switch", ["--fork", "--setsid", "--double-fork"])
def test_without_a_cgroup_the_next_shim_ends_what_a_killed_one_left(
    directory: Path, switch: str
) -> None:
    launch(directory, hide_cgroups=True)
    with Connection(directory) as shim:
        pids = tree(shim, directory, switch, "2")
    kill_shim(directory)
    assert launch(directory, hide_cgroups=True) == 0
    assert [pid for pid in pids if is_running(pid)] == []


@pytest.mark.parametrize("switch", ["--fork", "--setsid", "--double-fork"])
def test_the_next_shim_ends_what_a_killed_one_left(directory: Path, switch: str) -> None:
    launch(directory)
    with Connection(directory) as shim:
        pids = tree(shim, directory, switch, "2")
    kill_shim(directory)
    wait_until(lambda: not is_running(pids[0]), "the engine died with its shim")
    assert launch(directory) == 0
    with Connection(directory) as shim:
        status = shim.status()
    assert [pid for pid in pids if is_running(pid)] == []
    assert (status["state"], status["clear"], status["run"]) == ("exited", True, 1)
    assert status["exit"]["error"] == "its shim was killed"


@pytest.mark.parametrize("journal", [b"", b"{", b"[]", b"\xff", b'{"v": 1}', None])
def test_without_a_journal_the_next_shim_ends_what_a_killed_one_left_too(
    directory: Path, journal: bytes | None
) -> None:
    launch(directory, hide_cgroups=True)
    with Connection(directory) as shim:
        pids = tree(shim, directory, "--double-fork", "1")
    kill_shim(directory)
    (directory / "shim.json").unlink()
    if journal is not None:
        (directory / "shim.json").write_bytes(journal)
    assert launch(directory, hide_cgroups=True) == 0
    assert [pid for pid in pids if is_running(pid)] == []
    with Connection(directory) as shim:
        assert shim.start(*SLEEPER)["ok"]


def test_a_process_that_only_has_the_pid_of_a_former_one_is_left_alone(directory: Path) -> None:
    """The journal of another boot, or of a pid given anew, proves nothing."""
    launch(directory)
    end(directory)
    bystander = os.posix_spawn(SLEEPER[0], SLEEPER, {})
    started = proc.start_time(bystander)
    journal = json.loads((directory / "shim.json").read_text())
    for boot, start in ((journal["boot"], 12345), ("another-boot", started)):
        journal |= {"boot": boot, "state": "running", "run": 1, "engine": [bystander, start]}
        (directory / "shim.json").write_text(json.dumps(journal))
        assert launch(directory) == 0
        end(directory)
    assert is_running(bystander)
    os.kill(bystander, signal.SIGKILL)
    os.waitpid(bystander, 0)


def test_an_engine_gets_its_own_session_no_descriptors_and_no_new_privileges(
    shim: Connection,
) -> None:
    tell = (
        "import os; print(os.getsid(0) == os.getpid(), sorted(os.listdir('/proc/self/fd'))[:-1],"
        " [l for l in open('/proc/self/status') if 'NoNewPrivs' in l or 'SigIgn' in l])"
    )
    shim.start(*PYTHON, "-c", tell)
    told = shim.wait_clear()["tail"]
    assert told.startswith("True ['0', '1', '2']")
    assert "NoNewPrivs:\\t1" in told


def test_an_engine_gets_the_environment_it_was_given_and_a_mark(shim: Connection) -> None:
    tell = "import os; print(sorted(n for n in os.environ if n != 'LC_CTYPE'))"
    shim.start(*PYTHON, "-c", tell, env={"A": "1"})
    assert shim.wait_clear()["tail"] == "['A', 'LLMAZ_SHIM_MARK']\n"


def test_no_variable_and_no_argument_is_on_disk(shim: Connection, directory: Path) -> None:
    shim.start(*SLEEPER, "s3cret-argument", env={"TOKEN": "s3cret-value"})
    written = b"".join(path.read_bytes() for path in directory.iterdir() if path.is_file())
    assert b"s3cret" not in written


def test_a_flood_of_output_neither_blocks_the_engine_nor_is_lost(
    shim: Connection, directory: Path
) -> None:
    flood = "import sys; sys.stdout.write(('x' * 99 + chr(10)) * 100000); print('end')"
    shim.start(*PYTHON, "-c", flood)
    ended = shim.wait_clear()
    assert ended["exit"]["code"] == 0
    assert ended["log_bytes"] == (directory / "engine.log").stat().st_size == 10_000_004
    assert ended["tail"].endswith("x\nend\n")
    assert len(ended["tail"]) == 64 * 1024


def test_the_journal_says_what_runs(shim: Connection, directory: Path) -> None:
    status = shim.start(*SLEEPER)["status"]
    journal = json.loads((directory / "shim.json").read_text())
    assert journal["state"] == "running"
    assert journal["engine"] == [status["engine"][0], proc.start_time(status["engine"][0])]
    assert journal["boot"] == proc.boot_id()


def test_a_full_disk_refuses_a_start_and_says_so(shim: Connection, directory: Path) -> None:
    (directory / "shim.json.new").mkdir()
    answer = shim.start(*SLEEPER)
    (directory / "shim.json.new").rmdir()
    assert answer["error"] == "journal-failed"
    assert shim.status()["state"] == "idle"
    assert shim.start(*SLEEPER)["ok"]
