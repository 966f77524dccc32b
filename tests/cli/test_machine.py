"""`llmaz up -d` and `llmaz status` beside an `up` that has only begun."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmaz.cli.machine import last_words
from llmaz.local.home import Home

LLMAZ = Path(sys.executable).with_name("llmaz")


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("", "llmaz did not start"),
        ("Killed\n", "Killed"),
        ("10:00:00 API server: x\nerror: no room\nhint: make some\n", "no room"),
        ("error: already running\n10:00:00 API server: that of the other\n", "already running"),
    ],
)
def test_what_up_failed_of_is_read_from_its_log(log: str, words: str) -> None:
    assert last_words(log) == words


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("up", "-d"), 1, "error: llmaz is already starting on {home} (pid {pid})\n"),
        (("status",), 4, "error: llmaz is starting on {home}\n"),
    ],
)
def test_an_up_that_is_starting_is_told_of_and_left_alone(
    command: tuple[str, ...], code: int, said: str, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    home.create()
    log = home.logs / "up.log"
    log.write_text("its first line\n")
    with home.locked():
        ran = subprocess.run(
            [LLMAZ, *command],
            env=os.environ | {"LLMAZ_HOME": str(home.root)},
            capture_output=True,
            check=False,
            text=True,
            timeout=150,
        )
    assert (ran.returncode, ran.stdout) == (code, "")
    assert ran.stderr == said.format(home=home.root, pid=os.getpid())
    assert log.read_text() == "its first line\n"
