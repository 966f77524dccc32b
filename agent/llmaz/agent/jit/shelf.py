"""Compiled programs on the disk.

    jit/live/<key>/         what engines with this key read and write while they run
    jit/kept/<key>.tar      what one of them had compiled when it was ready; read-only
    jit/runs/<engine>       the last start of an engine
    slots/<uid>/jit-<key>/  the live directory of one in a slot

Engines with one key share a live directory, as all processes of a user share ~/.cache. It lies at
the same path for every start, since compilers write paths into what they make. A slot has its own
below the directory that its pod alone sees: what is in it may be anything, links included. It is
filled where no pod can reach, then moved there, and read by tree.py.
"""

import json
import logging
import os
import shutil
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from llmaz.agent.cache.names import why_unsafe
from llmaz.agent.cache.partial import flush_directory
from llmaz.agent.files import write_atomically
from llmaz.agent.jit.decide import Run
from llmaz.agent.jit.tree import TooMuch, about, pack, sizes

logger = logging.getLogger(__name__)

_MODES = 0o755
_IN_SLOT = "jit-"
# What reading one raises, and what writing it does where a file is also a folder in it.
_NO_ARCHIVE = (
    *(tarfile.TarError, EOFError),
    *(NotADirectoryError, IsADirectoryError, FileExistsError),
)


class Changing(Exception):
    """A file was written while it was packed: what is packed would be no moment's."""


class JitShelf:
    """The programs below one directory, and those of slots below another.

    most: the bytes of one key that are packed at most
    """

    def __init__(self, root: Path, slots: Path | None = None, most: int = 1 << 62) -> None:
        self._root = root
        self._slots = slots if slots is not None else root / "slots"
        self._most = most

    def live(self, key: str, slot: str = "") -> Path:
        """Return where engines with a key have their programs; each slot has a place of its own."""
        return self._slots / slot / f"{_IN_SLOT}{key}" if slot else self._root / "live" / key

    def archive(self, key: str) -> Path:
        return self._root / "kept" / f"{key}.tar"

    def open(self, key: str, slot: str = "") -> bool:
        """Have a live directory; tell whether there are programs in it."""
        live, archive = self.live(key, slot), self.archive(key)
        if slot:
            self._clear(slot, but=live)
        if not live.exists():
            beside = self._slots / f".{slot}" if slot else live.with_name(f".{key}.{os.getpid()}")
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            if archive.exists():
                self._unpack(key, beside)
            beside.rename(live)
        if archive.exists():
            os.utime(archive)
        return bool(about(live))

    def keep(self, key: str, slot: str = "") -> bool:
        """Pack the live directory, unless it is as it was packed; tell whether it was."""
        live, archive = self.live(key, slot), self.archive(key)
        before = about(live)
        if not before or (archive.exists() and _packed(archive) == sizes(before)):
            return False
        if sum(sizes(before).values()) > self._most:
            raise TooMuch(f"these are more than {self._most} bytes")
        archive.parent.mkdir(parents=True, exist_ok=True)
        beside = archive.with_name(f".{key}.{os.getpid()}")
        try:
            with beside.open("wb") as file:
                with tarfile.open(fileobj=file, mode="w", dereference=True) as tar:
                    pack(live, tar, self._most)
                file.flush()
                os.fsync(file.fileno())
            if about(live) != before:
                raise Changing(key)
            beside.chmod(0o444)
            beside.replace(archive)
            flush_directory(archive.parent)
        finally:
            beside.unlink(missing_ok=True)
        return True

    def close(self, key: str, slot: str = "") -> None:
        """Remove the live directory: nobody uses it."""
        shutil.rmtree(self.live(key, slot), ignore_errors=True)

    def drop(self, key: str, slot: str = "") -> None:
        """Remove all that there is of a key; of slots only this one's."""
        self.archive(key).unlink(missing_ok=True)
        self.close(key, slot)

    def sizes(self) -> Mapping[str, int]:
        """Return the bytes of each key; what slots have is theirs until it is packed."""
        found: dict[str, int] = {}
        for archive in (self._root / "kept").glob("*.tar"):
            with suppress(FileNotFoundError):
                found[archive.stem] = archive.stat().st_size
        for live in (self._root / "live").glob("[!.]*"):
            found[live.name] = found.get(live.name, 0) + sum(sizes(about(live)).values())
        return found

    def last_used(self) -> Mapping[str, float]:
        """Return when each key was last opened or packed."""
        found = {}
        for key in self.sizes():
            with suppress(FileNotFoundError):
                archive = self.archive(key)
                found[key] = (archive if archive.exists() else self.live(key)).stat().st_mtime
        return found

    def runs(self) -> dict[str, Run]:
        """Return the last start of every engine, from before this agent as well."""
        found = {}
        for file in (self._root / "runs").glob("[!.]*"):
            with suppress(OSError, ValueError, KeyError):
                said = json.loads(file.read_text())
                kept = said["kept"]
                found[said["engine"]] = Run(
                    key=said["key"],
                    at=datetime.fromisoformat(said["at"]),
                    had=said["had"],
                    kept=datetime.fromisoformat(kept) if kept else None,
                    slot=said.get("slot", ""),
                )
        return found

    def note(self, engine: str, run: Run) -> None:
        times = {"at": run.at.isoformat(), "kept": run.kept.isoformat() if run.kept else None}
        said = {"engine": engine, **asdict(run), **times}
        write_atomically(self._run(engine), json.dumps(said))

    def forget(self, engine: str) -> None:
        self._run(engine).unlink(missing_ok=True)

    def _clear(self, slot: str, but: Path) -> None:
        """Remove what a slot has of other keys, and what is no directory in the place of this."""
        for path in (self._slots / slot).glob(f"{_IN_SLOT}*"):
            if path.is_symlink() or not path.is_dir():
                path.unlink()
            elif path != but:
                shutil.rmtree(path, ignore_errors=True)

    def _unpack(self, key: str, into: Path) -> None:
        try:
            _unpack(self.archive(key), into)
        except _NO_ARCHIVE as error:  # a disk has lost some of it, or a node made it up
            logger.warning("compiled programs %s are thrown away: %s", key, error)
            self.archive(key).unlink()
            shutil.rmtree(into)
            into.mkdir()

    def _run(self, engine: str) -> Path:
        return self._root / "runs" / engine.replace("/", "_")


def _unpack(archive: Path, into: Path) -> None:
    """Write the plain files of an archive below a directory; of no other kind is any in one."""
    with tarfile.open(archive) as tar:
        for member in tar:
            is_plain = member.isreg() and not member.issparse()  # a sparse one grows without end
            content = tar.extractfile(member) if is_plain else None
            if content is None or why_unsafe(member.name) is not None:
                continue
            target = into / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                shutil.copyfileobj(content, file)
            target.chmod(member.mode & _MODES | 0o600)
            os.utime(target, (member.mtime, member.mtime))


def _packed(archive: Path) -> dict[str, int]:
    try:
        with tarfile.open(archive) as tar:
            return {member.name: member.size for member in tar}
    except (OSError, tarfile.TarError):
        return {}
