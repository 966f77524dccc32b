"""A small real file system of its own, whose power can be cut and which can be made read-only.

It needs the right to mount; where that is not given, the tests that want one are skipped.
"""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.shims import wait_until

_SHUT_DOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_WITHOUT_FLUSHING = 2
_BOOT = re.compile(r"^boot \S+$", re.MULTILINE)


class LoopDisk:
    """An ext4 in a file."""

    def __init__(self, image: Path, path: Path) -> None:
        self._image = image
        self.path = path

    def mount(self) -> bool:
        argv = ["mount", "-o", "loop", str(self._image), str(self.path)]
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0

    def unmount(self) -> None:
        """Unmount it, once the last process that had a file open has left the kernel."""
        argv = ["umount", str(self.path)]
        wait_until(lambda: subprocess.run(argv, check=False).returncode == 0, "it is unmounted")

    def cut_power(self) -> None:
        """Lose everything that was not flushed, as a machine does that goes down; come up again.

        The machine's run is another one then, so that journals name a former.
        """
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUT_DOWN, _WITHOUT_FLUSHING.to_bytes(4, "little"))
        except OSError as error:
            pytest.skip(f"this kernel can't shut a file system down: {error}")
        finally:
            os.close(descriptor)
        self.unmount()
        # Another mount namespace may hold what went down: what comes up is a copy of it.
        former, self._image = self._image, self._image.with_name(f"{self._image.name}+")
        subprocess.run(["cp", "--sparse=always", str(former), str(self._image)], check=True)
        former.unlink()
        wait_until(self.mount, "it is mounted again")
        for journal in self.path.rglob("*.journal"):
            text = journal.read_text(errors="replace")
            journal.write_text(_BOOT.sub("boot another-run-of-the-machine", text))

    @contextmanager
    def read_only(self) -> Iterator[None]:
        self._remount("ro")
        try:
            yield
        finally:
            self._remount("rw")

    def _remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.path)], check=True)


@contextmanager
def loop_disk(folder: Path, *, mebibytes: int = 32) -> Iterator[LoopDisk]:
    """Have a file system of a size inside the `with` block."""
    image, path = folder / "image", folder / "disk"
    path.mkdir()
    with image.open("wb") as file:
        file.truncate(mebibytes * 2**20)
    program = shutil.which("mkfs.ext4", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        pytest.skip("there is no mkfs.ext4")
    subprocess.run([program, "-q", "-F", str(image)], check=True)
    disk = LoopDisk(image, path)
    if not disk.mount():
        pytest.skip("mounting a file system needs privileges that this test was not given")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@contextmanager
def small_tmpfs(path: Path, *, pages: int) -> Iterator[Path]:
    """Have a file system in memory with so many pages inside the `with` block."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"nr_blocks={pages}", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small tmpfs needs privileges that this test was not given")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
