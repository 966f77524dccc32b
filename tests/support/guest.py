"""A kernel of its own for a test: user-mode Linux, a process of this user, on this machine's files.

What the machine's kernel can't show (controllers that are bound to version 1 of cgroups) a guest's
can. It reads the machine's files, writes none, and is gone with its first process.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = "linux.uml"  # Debian's package user-mode-linux
_SECONDS = 300.0
_MOUNTS = """
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /run
mount -t cgroup2 none /sys/fs/cgroup
"""
_ROOT = Path(__file__).parents[2]
_FIRST = f"""#!/bin/sh
exec >/dev/console 2>&1 </dev/null
{_MOUNTS}
cd {_ROOT}
"""


def run_in_guest(directory: Path, program: Path, *arguments: str) -> dict[str, Any]:
    """Run a program of Python in a guest; return the object that is its last line."""
    kernel = shutil.which(PROGRAM)
    if kernel is None:
        pytest.skip(f"there is no {PROGRAM} (Debian's package user-mode-linux)")
    first = directory / "init"
    words = " ".join((sys.executable, str(program), *arguments))
    paths = os.pathsep.join(path for path in sys.path if path.startswith(str(_ROOT)))
    first.write_text(
        f"{_FIRST}TMPDIR=/run PYTHONPATH={paths}:{_ROOT}/tests PATH={os.environ['PATH']} {words}\n"
        "echo o > /proc/sysrq-trigger\nsleep 60\n"
    )
    first.chmod(0o755)
    argv = [kernel, "mem=512M", "rootfstype=hostfs", "rootflags=/", "ro", f"init={first}", "quiet"]
    argv += ["con=null", "con0=null,fd:1", f"uml_dir={directory}"]
    run = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
    )
    said = run.stdout.decode(errors="replace").replace("\r", "")
    answers = [line for line in said.splitlines() if line.startswith("{")]
    assert answers, f"the guest answered nothing: {said[-3000:]}"
    answer: dict[str, Any] = json.loads(answers[-1])
    return answer
