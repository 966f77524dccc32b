import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmaz.agent.engines.launch import shim_lives
from llmaz.api.slot import shim_command
from llmaz.shim import bring, protocol
from llmaz.shim.container import ADDRESS, DIRECTORY, GRACE, devices
from support.shims import SLEEPER, Connection, is_running, wait_until


class Container:
    """A shim that was brought to where nothing of this machine's Python is named."""

    def __init__(self, directory: Path) -> None:
        self.slot = directory / "slot"
        self.programs = directory / "shim"
        bring.main([str(self.programs), str(self.slot)])
        self.env = {
            "PATH": "/usr/bin:/bin",
            "NVIDIA_VISIBLE_DEVICES": "GPU-1,GPU-2",
            DIRECTORY: str(self.slot),
            ADDRESS: "10.0.0.7",
            GRACE: "20",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> list[str]:
        return shim_command(str(self.programs), *arguments)

    def run(self) -> "subprocess.Popen[bytes]":
        self.process = subprocess.Popen(
            self.command("run"), env=self.env, stdout=subprocess.PIPE, cwd="/"
        )
        wait_until(lambda: self.ask("probe", "live") == 0, "the shim answers")
        return self.process

    def ask(self, *arguments: str) -> int:
        done = subprocess.run(
            self.command(*arguments), env=self.env, check=False, capture_output=True
        )
        return done.returncode


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    made = Container(tmp_path)
    yield made
    if made.process is not None:
        made.process.kill()
        made.process.wait()
        assert made.process.stdout is not None
        made.process.stdout.close()


def test_a_shim_is_brought_with_all_that_it_needs(container: Container) -> None:
    container.run()
    maps = Path(f"/proc/{container.process.pid}/maps").read_text()  # type: ignore[union-attr]
    outside = {
        line.split()[-1] for line in maps.splitlines() if ".so" in line and "/" in line.split()[-1]
    }
    assert {path for path in outside if not path.startswith(str(container.programs))} == set()


def test_the_shim_of_a_slot_tells_what_the_container_was_given(container: Container) -> None:
    container.run()
    with Connection(container.slot) as shim:
        about = shim.status()["slot"]
    assert about["address"] == "10.0.0.7"
    assert about["visible"] == {"NVIDIA_VISIBLE_DEVICES": "GPU-1,GPU-2"}
    assert about["path"] == "/usr/bin:/bin"


def test_an_engine_of_a_slot_has_the_variables_of_its_container(container: Container) -> None:
    process = container.run()
    with Connection(container.slot) as shim:
        text = "import os; print(os.environ['NVIDIA_VISIBLE_DEVICES'], os.environ['OWN'])"
        shim.start(sys.executable, "-c", text, env={"OWN": "own"}, cwd=".")
        shim.wait_clear()
        assert shim.status()["tail"] == "GPU-1,GPU-2 own\n"
    assert process.stdout is not None
    assert process.stdout.readline() == b"GPU-1,GPU-2 own\n"  # what the container's log has


def test_a_slot_is_ready_only_while_the_agent_says_so(container: Container) -> None:
    container.run()
    assert container.ask("probe", "ready") == 1
    with Connection(container.slot) as shim:
        shim.ask("ready", ready=True)
        assert container.ask("probe", "ready") == 0
        shim.ask("ready", ready=False)
    assert container.ask("probe", "ready") == 1


def test_a_drain_tells_the_agent_and_waits_until_the_engine_has_ended(
    container: Container,
) -> None:
    container.run()
    with Connection(container.slot) as shim:
        shim.ask("watch")
        shim.start(*SLEEPER)
        hook = subprocess.Popen(container.command("drain"), env=container.env)
        wait_until(lambda: shim.status()["slot"]["draining"], "the agent is told")
        assert hook.poll() is None
        assert shim.events[-1] == protocol.DRAIN_EVENT
        shim.ask("stop", grace=5)
        assert hook.wait(60) == 0
        assert shim.start(*SLEEPER)["error"] == protocol.DRAINING


def test_the_end_of_a_slot_ends_its_engine_and_then_its_shim(container: Container) -> None:
    process = container.run()
    with Connection(container.slot) as shim:
        shim.start(*SLEEPER)
        pid = shim.status()["engine"][0]
    process.terminate()
    assert process.wait(60) == 0
    assert not shim_lives(container.slot)
    assert not is_running(pid)


def test_device_files_of_accelerators_are_told_from_others(tmp_path: Path) -> None:
    assert devices(str(tmp_path)) == []
    (tmp_path / "nvidia0").touch()
    (tmp_path / "dri").mkdir()
    (tmp_path / "dri" / "renderD128").touch()
    (tmp_path / "null").touch()
    assert devices(str(tmp_path)) == ["dri/renderD128", "nvidia0"]
