import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from llmaz.local.home import Home, HomeInUse, Running

HERE = Running(pid=os.getpid(), api_url="https://a", gateway_url="http://b/v1")
HOLD = """
import sys, time
from pathlib import Path
from llmaz.local.home import Home
with Home(Path(sys.argv[1])).locked():
    print("locked", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def test_the_environment_names_the_home() -> None:
    assert Home.of({"LLMAZ_HOME": "/srv/llmaz"}) == Home(Path("/srv/llmaz"))
    assert Home.of({}) == Home(Path.home() / ".llmaz")


def test_only_the_owner_may_look_inside(home: Home) -> None:
    for path in (home.root, home.server, home.agent, home.cache, home.logs):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_home_is_held_by_one_process_and_free_after_its_death(home: Home) -> None:
    command = [sys.executable, "-c", HOLD, str(home.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(HomeInUse, match=f"already running on {home.root} .pid {other.pid}"):
            home.locked().__enter__()
        assert home.holder() == other.pid
        other.kill()
    assert home.holder() is None
    with home.locked():
        pass


def test_what_was_announced_is_known_as_long_as_the_announcer_lives(home: Home) -> None:
    assert home.running() is None
    with home.locked():
        home.announce(HERE)
        assert home.running() == HERE
    assert home.running() is None


def test_an_announcement_of_a_dead_process_is_not_believed(home: Home) -> None:
    home.announce(HERE)
    assert home.running() is None
