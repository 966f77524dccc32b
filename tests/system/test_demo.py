"""`make demo` is this command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.machine import processes

STEPS = [
    "environment",
    "control plane ready",
    "applied",
    "placed",
    "weights ready",
    "engine started",
    "first token",
    "answered",
    "cleaned up",
]


@pytest.mark.timeout(240)
def test_the_demo_prints_a_real_answer_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "llmaz.cli", "demo", "--environment-seconds", "60"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        check=False,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    _, question, answer, *table = done.stdout.splitlines()
    assert question == "Which city is the capital of France?"
    assert "Paris" in answer
    assert [line.split("  ")[0] for line in table[-len(STEPS) :]] == STEPS
    assert table[-len(STEPS)].split()[1].startswith("60.")
    assert list(tmp_path.iterdir()) == []
    assert processes(str(tmp_path)) == {}


@pytest.mark.timeout(240)
def test_a_demo_that_is_ended_early_leaves_nothing_behind_either(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "llmaz.cli", "demo"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stderr is not None
        said = []
        for line in demo.stderr:
            said.append(line)
            if "weights ready" in line:
                demo.terminate()
    assert (demo.returncode, "Traceback" in "".join(said)) == (130, False), said
    assert list(tmp_path.iterdir()) == []
    assert processes(str(tmp_path)) == {}
