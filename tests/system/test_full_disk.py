"""A disk that fills up: one sentence each time, and everything goes on once there is room again."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support.machine import SERVE_SMOLLM2, Machine, until
from support.smollm2 import SMOLLM2
from support.weights import gguf

pytestmark = pytest.mark.timeout(240)

_MEBIBYTE = 2**20


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A small file system of its own, of 24 MiB where the test asks for no other size."""
    size = getattr(request, "param", 24)
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small tmpfs needs privileges that this test was not given")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(disk: Path) -> Callable[[], None]:
    """Fill the disk to its last byte; return what makes room again."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(_MEBIBYTE))
        except OSError:
            return ballast.unlink


def test_up_says_that_the_disk_is_full_and_starts_once_there_is_room(disk: Path) -> None:
    machine = Machine(disk / "home")
    make_room = fill(disk)
    for options in ((), ("-d",)):
        failed = machine.llmaz("up", *options)
        assert (failed.returncode, failed.stdout) == (1, "")
        assert failed.stderr.startswith("error: ")
        assert failed.stderr.endswith(": no space left on device\n")
    make_room()
    machine.up()
    assert machine.llmaz("down").returncode == 0


def test_a_disk_that_fills_up_refuses_writes_and_stops_nothing(disk: Path) -> None:
    machine = Machine(disk / "home")
    machine.up()
    pid = machine.running()["pid"]
    try:
        make_room = fill(disk)
        refused = machine.llmaz("apply", "-f", "-", stdin=SERVE_SMOLLM2)
        assert refused.returncode == 1
        assert refused.stderr == (
            "error: apply openmodels/smollm2: the write could not be stored and was not done: "
            "database or disk is full\n"
            "hint: make room on the disk of LLMAZ_HOME, and try again\n"
        )
        assert machine.llmaz("get", "br").returncode == 0

        make_room()
        assert machine.llmaz("apply", "-f", "-", stdin=SERVE_SMOLLM2).returncode == 0
        machine.wait_for("smollm2", lambda condition: bool(condition["status"] == "True"))
        assert machine.running()["pid"] == pid
    finally:
        machine.llmaz("down")


@contextmanager
def web_server(directory: Path) -> Iterator[str]:
    """Serve a directory's files at the address that is yielded."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@pytest.mark.slow  # a fetch that failed is tried again after a wait
@pytest.mark.parametrize("disk", [320], indirect=True)  # of which the cache leaves 256 free
def test_weights_that_do_not_fit_say_so_and_come_once_there_is_room(
    disk: Path, tmp_path: Path
) -> None:
    machine = Machine(disk / "home")
    files = tmp_path / "files"
    files.mkdir()
    (files / "weights.gguf").write_bytes(gguf(padding=12 * _MEBIBYTE))
    machine.up()
    try:
        (disk / "ballast").write_bytes(bytes(55 * _MEBIBYTE))
        with web_server(files) as url:
            manifest = SERVE_SMOLLM2.replace(f"host://{SMOLLM2}", f"{url}/weights.gguf")
            applied = machine.llmaz("apply", "-f", "-", stdin=manifest)
            assert applied.returncode == 0, applied.stderr
            said = machine.wait_for("smollm2", lambda condition: "NoSpace" in condition["message"])
            assert "\n" not in said["message"]

            (disk / "ballast").unlink()
            machine.wait_for(
                "smollm2", lambda now: now["reason"] not in ("FetchFailed", "FetchingModel")
            )
    finally:
        machine.llmaz("down")


def test_up_goes_on_when_what_it_says_can_not_be_written(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "home")
    with Path("/dev/full").open("w") as full, machine.up_in_the_foreground(stdout=full) as process:
        until((machine.home / "up.json").exists, "up did not become ready")
        assert machine.llmaz("status").returncode == 0
        assert machine.llmaz("down").returncode == 0
    assert process.returncode == 0
