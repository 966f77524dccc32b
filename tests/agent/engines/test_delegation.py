"""Limits of engines, enforced by a kernel, and the cases where the agent is to leave all alone.

A machine whose controllers are bound to version 1 of cgroups can't show that, so a guest does.
"""

from pathlib import Path
from typing import Any

import pytest

from llmaz.agent.engines.delegation import CONTROLLERS, delegate
from llmaz.shim import cgroup
from llmaz.shim.crash import Effects
from support.guest import run_in_guest

PROGRAM = Path(__file__).parents[2] / "support" / "limited.py"


@pytest.mark.slow
def test_a_kernel_enforces_what_engines_are_limited_to(tmp_path: Path) -> None:
    seen: dict[str, Any] = run_in_guest(tmp_path, PROGRAM)
    assert tuple(seen["enforced"]) == CONTROLLERS
    # A worker met the limit of memory: all of the engine ended, which its shim knows the reason of.
    assert (seen["memory"]["exit"]["signal"], seen["memory"]["exit"]["oom"]) == (9, True)
    assert not seen["memory"]["left"]
    assert seen["processes"] == {
        "said": "forked 19 Resource temporarily unavailable",
        "inside": 20,
    }
    assert seen["processors"]["throttled"] > 0
    assert seen["processors"]["share"] < 0.5  # of one, where it may have 0.2
    assert seen["container"] == {
        "enforced": list(CONTROLLERS),
        "again": list(CONTROLLERS),
        "above": [],
        "aside": True,
        "engines": "/sys/fs/cgroup/engine",
    }


def tree(own: Path, *, kind: str | None = "domain\n") -> Path:
    """Make a directory shaped as a cgroup."""
    own.mkdir(parents=True, exist_ok=True)
    for name, text in {
        "cgroup.controllers": "cpuset cpu memory pids\n",
        "cgroup.subtree_control": "",
        "cgroup.procs": "",
        "cgroup.type": kind,
    }.items():
        if text is not None:
            (own / name).write_text(text)
    return own


def test_where_others_may_be_in_the_same_cgroup_nothing_is_touched(tmp_path: Path) -> None:
    tree(tmp_path / "session")
    own = tree(tmp_path / "session" / "scope")
    assert delegate(str(own)) == ()
    assert (own / "cgroup.subtree_control").read_text() == ""
    assert not (own / cgroup.LEAF).exists()


def test_a_leaf_has_the_cgroup_above_it_hand_the_limits_on(tmp_path: Path) -> None:
    unit = tree(tmp_path / "unit")
    delegate(str(tree(unit / cgroup.LEAF)))
    assert (unit / "cgroup.subtree_control").read_text() == "+pids"  # the last that was written


def test_of_the_machines_topmost_nobody_is_moved(tmp_path: Path) -> None:
    own = tree(tmp_path, kind=None)
    delegate(str(own))
    assert not (own / cgroup.LEAF).exists()
    assert (own / "cgroup.subtree_control").read_text() == "+pids"


@pytest.mark.parametrize("own", [None, "/nonexistent"])
def test_without_cgroups_there_are_no_limits_and_no_error(own: str | None) -> None:
    assert delegate(own) == ()


def test_limits_are_written_in_the_kernels_words(tmp_path: Path) -> None:
    for name in ("memory.max", "pids.max", "cpu.max", "memory.oom.group"):
        (tmp_path / name).touch()
    limits = {"memory": 1 << 30, "pids": 32768, "cpu": 2500}
    assert cgroup.create(str(tmp_path), limits, Effects("test", ""))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "memory.max": "1073741824",
        "memory.oom.group": "1",
        "pids.max": "32768",
        "cpu.max": "250000 100000",
    }


def test_a_limit_without_its_controller_is_passed_over(tmp_path: Path) -> None:
    assert cgroup.create(str(tmp_path), {"memory": 1}, Effects("test", ""))
    assert list(tmp_path.iterdir()) == []
