"""A cgroup (version 2) of the engine's own: it holds all of the engine, and goes with it.

Each shim here has a mount namespace with a mount of its own of the machine's cgroups, so that
nobody else sees one where there was none.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmaz.agent.engines.launch import COMMAND
from support.engines import TREE
from support.shims import FAKE_ENGINE, Connection, is_running, kill_shim, wait_until

MOUNTING = ("unshare", "--mount", "sh", "-c", 'mount -t cgroup2 none "$0" && exec "$@"')
UNKNOWN = ("--clear-environment", *TREE)  # descendants that no environment tells of


@pytest.fixture
def mount(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where shims have the cgroups."""
    path = tmp_path_factory.mktemp("cgroups")
    tried = subprocess.run((*MOUNTING, str(path), "true"), capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no cgroups may be mounted here: {tried.stderr.decode().strip()}")
    return path


def launch_with_cgroups(directory: Path, mount: Path) -> None:
    argv = (*MOUNTING, str(mount), *COMMAND)
    env = {"PATH": os.environ["PATH"]}
    assert subprocess.run(argv, env=env, input=os.fsencode(directory), check=False).returncode == 0


@pytest.fixture
def shim(directory: Path, mount: Path) -> Iterator[Connection]:
    launch_with_cgroups(directory, mount)
    with Connection(directory) as connection:
        yield connection


def cgroup_of(pid: int) -> str:
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return next(line for line in lines if line.startswith("0::"))


def start_tree(shim: Connection, directory: Path) -> list[int]:
    """Start an engine with descendants everywhere; return the pids of them all."""
    file = directory / "pids"
    engine = (FAKE_ENGINE, "--port", "0", "--pids-file", str(file), *UNKNOWN)
    shim.start("/usr/bin/env", "python3", "-I", *engine)
    wait_until(file.exists, "the engine has its descendants")
    pids: list[int] = json.loads(file.read_text())
    return pids


def test_all_of_an_engine_is_in_its_cgroup_which_goes_with_it(
    shim: Connection, directory: Path, mount: Path
) -> None:
    pids = start_tree(shim, directory)
    status = shim.status()
    name = Path(status["cgroup"]).name
    assert {cgroup_of(pid).rpartition("/")[2] for pid in pids} == {name}
    assert cgroup_of(status["shim"][0]).rpartition("/")[2] != name
    seen_by_shim = Path(f"/proc/{status['shim'][0]}/root{status['cgroup']}")
    assert seen_by_shim.is_dir()
    shim.ask("stop", grace=0)
    shim.wait_clear()
    assert [pid for pid in pids if is_running(pid)] == []
    assert not seen_by_shim.exists()


def test_a_killed_shims_successor_ends_by_the_cgroup_what_nothing_else_tells_of(
    shim: Connection, directory: Path, mount: Path
) -> None:
    pids = start_tree(shim, directory)
    kill_shim(directory)
    launch_with_cgroups(directory, mount)
    with Connection(directory) as successor:
        assert successor.status()["clear"]
    assert [pid for pid in pids if is_running(pid)] == []
