"""The journal of revisions in SQLite: what is acknowledged survives SIGKILL and power loss.

One row is one write, numbered by its resourceVersion. A row stays while it is an object's latest,
or while a watch may still resume before it. The journal is WAL with synchronous=FULL: one fsync a
transaction, and a transaction carries every write that was waiting, so that many writers share
the price of one fsync.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS revision (
    number INTEGER PRIMARY KEY, type TEXT NOT NULL, resource TEXT NOT NULL,
    namespace TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS floor (id INTEGER PRIMARY KEY CHECK (id = 0), number INTEGER NOT NULL);
INSERT OR IGNORE INTO floor VALUES (0, 0);
"""


class StorageError(Exception):
    """The database can't be opened or written; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Row:
    """One write: its revision, its type (ADDED, MODIFIED, DELETED), where it went and what."""

    number: int
    type: str
    resource: str
    namespace: str
    name: str
    body: bytes


class Database:
    """The file `objects.db` of a data directory, held by one process at a time."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = directory / "objects.db"
        self._lock = _locked(directory / "lock")
        try:
            self._connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, cached_statements=16
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)
            self._inode = self._path.stat().st_ino
        except sqlite3.Error as error:
            os.close(self._lock)
            raise StorageError(f"cannot open {self._path}: {error}") from None

    def load(self) -> tuple[list[Row], int]:
        """Return all rows as they were written, and the revision watches can't go below."""
        try:
            floor = self._connection.execute("SELECT number FROM floor").fetchone()[0]
            rows = self._connection.execute(
                "SELECT number, type, resource, namespace, name, body FROM revision ORDER BY number"
            )
            return [Row(*row) for row in rows], floor
        except sqlite3.Error as error:
            raise StorageError(f"cannot read {self._path}: {error}") from None

    def write(self, rows: Sequence[Row], superseded: Sequence[int], floor: int) -> None:
        """Add rows and drop superseded ones, all or nothing; on return they are on the disk."""
        self._require_file()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT INTO revision VALUES (?, ?, ?, ?, ?, ?)",
                [(r.number, r.type, r.resource, r.namespace, r.name, r.body) for r in rows],
            )
            if superseded:
                self._connection.executemany(
                    "DELETE FROM revision WHERE number = ?", [(number,) for number in superseded]
                )
                self._connection.execute("UPDATE floor SET number = ?", (floor,))
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise StorageError(str(error)) from None

    def wal_bytes(self) -> int:
        try:
            return self._path.with_name("objects.db-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def close(self) -> None:
        self._connection.close()
        os.close(self._lock)

    def _require_file(self) -> None:
        """Refuse to write where nobody will read: into a file that was deleted or replaced."""
        try:
            found = self._path.stat().st_ino
        except OSError as error:
            raise StorageError(f"{self._path}: {os.strerror(error.errno or 0)}") from None
        if found != self._inode:
            raise StorageError(f"{self._path} was replaced while the server runs")

    def _roll_back(self) -> None:
        # SQLite has already rolled back by itself after some errors, such as a full disk; where it
        # can't, the next write says so.
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _locked(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise StorageError(f"another server is running on {path.parent}") from None
    return handle
