"""The plain files below a directory, which somebody else may change while they are looked at.

What an engine in a slot compiles lies where all that runs in its pod may write, and is read by the
agent. So nothing is opened through a link, nothing that is no plain file is opened at all, and
there is an end to how many files there are, and how deep.
"""

import os
import stat
import tarfile
from collections.abc import Generator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeAlias

MOST_FILES = 100_000
MOST_DEEP = 32
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Of a pipe that took a file's name, an open without O_NONBLOCK waits for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_Files: TypeAlias = Generator[tuple[str, str, int], None, None]  # path, name, its directory


class TooMuch(Exception):
    """There is more below a directory than is kept."""


def about(top: Path) -> dict[str, tuple[int, int]]:
    """Return the size and time of each file; one that goes meanwhile was none to keep."""
    found = {}
    with closing(_files(top)) as files:
        for path, name, folder in files:
            with suppress(FileNotFoundError):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                found[path] = (status.st_size, status.st_mtime_ns)
            if len(found) > MOST_FILES:
                raise TooMuch(f"there are more than {MOST_FILES} files")
    return found


def sizes(about: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """Return the sizes alone."""
    return {name: size for name, (size, _) in about.items()}


def pack(top: Path, tar: tarfile.TarFile, most: int) -> None:
    """Add every file, of `most` bytes at most all together."""
    left = most
    with closing(_files(top)) as files:
        for path, name, folder in files:
            try:
                handle = os.open(name, _FILE, dir_fd=folder)
            except OSError:  # it has gone, or may not be read: it is no loss
                continue
            left -= _add(tar, path, handle, left)


def _add(tar: tarfile.TarFile, path: str, handle: int, most: int) -> int:
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return 0
        member = tar.gettarinfo(arcname=path, fileobj=file)
        if member.size > most:
            raise TooMuch("it grows while it is packed")
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        tar.addfile(member, file)
        return member.size


def _files(top: Path) -> _Files:
    """Yield the path below, the name, and an open handle of the directory of each file."""
    try:
        handle = os.open(top, _DIRECTORY)
    except OSError:  # it has gone, or is no directory that may be read
        return
    try:
        yield from _below(handle, "", 0)
    finally:
        os.close(handle)


def _below(folder: int, before: str, depth: int) -> _Files:
    if depth > MOST_DEEP:
        raise TooMuch(f"there are more than {MOST_DEEP} directories in each other")
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_file(follow_symlinks=False):
            yield before + entry.name, entry.name, folder
        elif entry.is_dir(follow_symlinks=False):
            yield from _inside(entry.name, folder, before, depth)


def _inside(name: str, folder: int, before: str, depth: int) -> _Files:
    try:
        handle = os.open(name, _DIRECTORY, dir_fd=folder)
    except OSError:  # it has gone, or is another thing now
        return
    try:
        yield from _below(handle, f"{before}{name}/", depth + 1)
    finally:
        os.close(handle)
