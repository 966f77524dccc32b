"""A guest's program: engines under real shims that ask for more than their cgroups allow."""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from llmaz.agent.engines.delegation import delegate
from llmaz.shim import cgroup, protocol
from support.shims import Connection, end, launch, wait_until

PYTHON = (sys.executable, "-I", "-S", "-c")
# A worker that takes memory for ever, below a first process that would never miss it.
HOG = (
    "import os, time\nif os.fork(): time.sleep(3600)\nheld = []\nwhile 1: held.append(b'x' * 2**20)"
)
FORKER = """
import os, sys, time
for count in range(1000):
    try:
        if os.fork() == 0: time.sleep(3600)
    except OSError as error:
        print("forked", count, error.strerror, flush=True)
        break
time.sleep(3600)
"""
SPINNER = "while 1: pass"


def run(name: str, code: str, limits: dict[str, int]) -> tuple[Path, Connection]:
    directory = Path("/run", name)
    directory.mkdir()
    assert launch(directory) == 0
    shim = Connection(directory)
    shim.start(*PYTHON, code, limits=limits)
    return directory, shim


def memory() -> dict[str, Any]:
    directory, shim = run("memory", HOG, {"memory": 64 << 20})
    with shim:
        status = shim.wait_clear()
    end(directory)
    return {"exit": status["exit"], "left": Path(status["cgroup"]).exists()}


def processes() -> dict[str, Any]:
    directory, shim = run("processes", FORKER, {"pids": 20})
    with shim:
        log = directory / protocol.LOG
        wait_until(lambda: log.exists() and "forked" in log.read_text(), "it met its limit")
        inside = Path(shim.status()["cgroup"], "cgroup.procs").read_text().split()
    end(directory)
    return {"said": log.read_text().strip(), "inside": len(inside)}


def processors() -> dict[str, Any]:
    directory, shim = run("processors", SPINNER, {"cpu": 200})
    with shim:
        path = Path(shim.status()["cgroup"], "cpu.stat")
        wait_until(lambda: _counter(path, "usage_usec") > 100_000, "it runs")
        began, used = time.monotonic(), _counter(path, "usage_usec")
        time.sleep(2)
        share = (_counter(path, "usage_usec") - used) / 1e6 / (time.monotonic() - began)
        throttled = _counter(path, "nr_throttled")
    end(directory)
    return {"share": share, "throttled": throttled}


def _counter(path: Path, key: str) -> int:
    return int(dict(line.split() for line in path.read_text().splitlines())[key])


def container() -> dict[str, Any]:
    """Delegate in a cgroup namespace, as an agent in a container does, and say who is where."""
    Path("/sys/fs/cgroup/pod").mkdir()
    again = shlex.join((sys.executable, __file__, "inside"))
    enter = "echo $$ > /sys/fs/cgroup/pod/cgroup.procs"
    mount = f"umount /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && exec {again}"
    script = f"{enter}; exec unshare --cgroup --mount sh -c {shlex.quote(mount)}"
    answer: dict[str, Any] = json.loads(subprocess.check_output(("sh", "-c", script)))
    return answer


def inside() -> dict[str, Any]:
    top = Path("/sys/fs/cgroup")
    enforced = delegate(cgroup.own())
    return {
        "enforced": enforced,
        "again": delegate(cgroup.own()),
        "above": (top / "cgroup.procs").read_text().split(),
        "aside": str(os.getpid()) in (top / cgroup.LEAF / "cgroup.procs").read_text().split(),
        "engines": cgroup.place("engine"),
    }


def started_in_a_leaf() -> tuple[str, ...]:
    """Be where a service manager would have started an agent."""
    leaf = Path("/sys/fs/cgroup/unit", cgroup.LEAF)
    Path("/sys/fs/cgroup/cgroup.subtree_control").write_text("+cpu +memory +pids")
    leaf.mkdir(parents=True)
    (leaf / "cgroup.procs").write_text(str(os.getpid()))
    return delegate(cgroup.own())


def outside() -> dict[str, Any]:
    return {
        "enforced": started_in_a_leaf(),
        "memory": memory(),
        "processes": processes(),
        "processors": processors(),
        "container": container(),
    }


if __name__ == "__main__":
    answer = inside() if sys.argv[1:] == ["inside"] else outside()
    sys.stdout.write(json.dumps(answer) + "\n")
