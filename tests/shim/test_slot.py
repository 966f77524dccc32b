import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from llmaz.agent.engines.launch import shim_lives
from llmaz.api.slot import DIRECTORY, PROGRAMS, shim_command
from llmaz.shim import bring, protocol
from llmaz.shim.container import devices
from support.kubelet.slots import SlotContainer
from support.shims import SLEEPER, Connection, is_running, wait_until

NOBODY = 65534
ALONE = ("unshare", "--mount", "--pid", "--fork", "--kill-child")


@pytest.fixture
def container(tmp_path: Path) -> Iterator[SlotContainer]:
    gpus = {"NVIDIA_VISIBLE_DEVICES": "GPU-1,GPU-2"}
    slot = tmp_path / "slot"
    made = SlotContainer(slot, tmp_path / "shim", address="10.0.0.7", env=gpus)
    yield made
    made.kill()


def test_a_shim_is_brought_with_all_that_it_needs(container: SlotContainer) -> None:
    container.run()
    maps = Path(f"/proc/{container.process.pid}/maps").read_text()  # type: ignore[union-attr]
    outside = {
        line.split()[-1] for line in maps.splitlines() if ".so" in line and "/" in line.split()[-1]
    }
    assert {path for path in outside if not path.startswith(str(container.programs))} == set()


def test_the_shim_of_a_slot_tells_what_the_container_was_given(container: SlotContainer) -> None:
    container.run()
    with Connection(container.slot) as shim:
        about = shim.status()["slot"]
    assert about["address"] == "10.0.0.7"
    assert about["visible"] == {"NVIDIA_VISIBLE_DEVICES": "GPU-1,GPU-2"}
    assert about["path"] == "/usr/bin:/bin"


def test_a_shim_waits_while_the_agent_tries_its_lock(container: SlotContainer) -> None:
    lock = container.slot / protocol.LOCK
    with lock.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        process = container.begin()
        opened = Path(f"/proc/{process.pid}/fd")
        wait_until(lambda: lock in {fd.resolve() for fd in opened.iterdir()}, "it tries the lock")
        assert process.poll() is None
    wait_until(lambda: container.ask("probe", "live") == 0, "the shim answers")


def test_an_engine_of_a_slot_has_the_variables_of_its_container(container: SlotContainer) -> None:
    process = container.run()
    with Connection(container.slot) as shim:
        text = "import os; print(os.environ['NVIDIA_VISIBLE_DEVICES'], os.environ['OWN'])"
        shim.start(sys.executable, "-c", text, env={"OWN": "own"}, cwd=".")
        shim.wait_clear()
        assert shim.status()["tail"] == "GPU-1,GPU-2 own\n"
    assert process.stdout is not None
    assert process.stdout.readline() == b"GPU-1,GPU-2 own\n"  # what the container's log has


def test_a_slot_is_ready_only_while_the_agent_says_so(container: SlotContainer) -> None:
    container.run()
    assert container.ask("probe", "ready") == 1
    with Connection(container.slot) as shim:
        shim.ask("ready", ready=True)
        assert container.ask("probe", "ready") == 0
        shim.ask("ready", ready=False)
    assert container.ask("probe", "ready") == 1


def test_a_drain_tells_the_agent_and_waits_until_the_engine_has_ended(
    container: SlotContainer,
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
        assert hook.wait(120) == 0
        assert shim.start(*SLEEPER)["error"] == protocol.DRAINING


def test_the_end_of_a_slot_ends_its_engine_and_then_its_shim(container: SlotContainer) -> None:
    process = container.run()
    with Connection(container.slot) as shim:
        shim.start(*SLEEPER)
        pid = shim.status()["engine"][0]
    process.terminate()
    assert process.wait(120) == 0
    assert not shim_lives(container.slot)
    assert not is_running(pid)


def test_device_files_of_accelerators_are_told_from_others(tmp_path: Path) -> None:
    assert devices(str(tmp_path)) == []
    (tmp_path / "nvidia0").touch()
    (tmp_path / "dri").mkdir()
    (tmp_path / "dri" / "renderD128").touch()
    (tmp_path / "null").touch()
    assert devices(str(tmp_path)) == ["dri/renderD128", "nvidia0"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change what the root directory is")
def test_an_image_without_python_and_without_a_c_library_runs_a_shim(tmp_path: Path) -> None:
    programs, slot = tmp_path / PROGRAMS.lstrip("/"), tmp_path / DIRECTORY.lstrip("/")
    bring.main([str(programs), str(slot)])
    (tmp_path / "proc").mkdir()
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "null").touch()
    os.chown(slot, NOBODY, NOBODY)
    tmp_path.chmod(0o755)
    # What a runtime does: namespaces of processes and mounts, a root, a user without rights.
    enter = 'mount -t proc proc "$1/proc" && mount --bind /dev/null "$1/dev/null" && shift && '
    enter += f'exec chroot --userspec={NOBODY}:{NOBODY} "$0" "$@"'
    image = (*ALONE, "sh", "-c", enter, str(tmp_path), str(tmp_path))
    process = subprocess.Popen([*image, *shim_command(PROGRAMS, "run")], env={})
    try:
        wait_until(lambda: shim_lives(slot) and (slot / protocol.SOCKET).exists(), "it listens")
        with Connection(slot) as shim:
            print_ = [*shim_command(PROGRAMS)[:-1], "-c", "print('from within')"]
            shim.start(*print_, env={}, cwd=".")
            shim.wait_clear()
            assert shim.status()["tail"] == "from within\n"
            assert shim.status()["shim"][0] == 1  # the first process of the container
    finally:
        # Its death signal is lost with its user's rights, so that to kill its parent is not enough.
        for first in psutil.Process(process.pid).children():
            first.kill()
        process.kill()
        process.wait()
        wait_until(lambda: not shim_lives(slot), "the container is gone")
