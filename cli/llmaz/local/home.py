"""Where one machine's llmaz keeps everything: the layout of LLMAZ_HOME."""

import dataclasses
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

_ASKERS_SECONDS = 2.0
_LEAST_ROOM_BYTES = 2**20  # an empty API server's database, certificates and logs


class HomeInUse(Exception):
    """Another `up` runs on this home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What an `up` that has everything ready says about itself to other commands."""

    pid: int
    api_url: str
    gateway_url: str
    hub_url: str = ""  # the Hugging Face endpoint


@dataclass(frozen=True, slots=True)
class Home:
    """The directory of one machine's llmaz."""

    root: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Home":
        """Return $LLMAZ_HOME, by default ~/.llmaz."""
        named = environ.get("LLMAZ_HOME")
        return cls(Path(named).absolute() if named else Path.home() / ".llmaz")

    @property
    def server(self) -> Path:
        """The API server's data: objects, token, certificates."""
        return self.root / "server"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def agent(self) -> Path:
        """The agent's state: assignment, engines."""
        return self.root / "agent"

    @property
    def cache(self) -> Path:
        """The weights."""
        return self.root / "cache"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def create(self) -> None:
        """Make the directories; only their owner may look inside.

        Raises OSError, which names the home, when nothing could be written there.
        """
        for path in (self.root, self.server, self.agent, self.cache, self.logs):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryFile(dir=self.root) as probe:
                probe.write(bytes(_LEAST_ROOM_BYTES))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.root)) from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home for one `up`; the kernel lets go when the process ends, however it does.

        Raises HomeInUse when another process holds it.
        """
        with (self.root / "up.lock").open("a+") as file:
            if not _locks(file):
                raise HomeInUse(f"llmaz is already running on {self.root} (pid {self.holder()})")
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)
                self._running.unlink(missing_ok=True)

    def holder(self) -> int | None:
        """Return the pid of the `up` that holds this home, or None when none does."""
        try:
            file = (self.root / "up.lock").open("r")
        except FileNotFoundError:
            return None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0) or None
        return None

    def announce(self, running: Running) -> None:
        """Say that everything is ready and where; write beside, then rename."""
        beside = self._running.with_suffix(".new")
        beside.write_text(json.dumps(dataclasses.asdict(running)))
        beside.replace(self._running)

    def running(self) -> Running | None:
        """Return what the living `up` announced, or None when there is none or it isn't ready."""
        holder = self.holder()
        try:
            announced = Running(**json.loads(self._running.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return announced if announced.pid == holder else None

    @property
    def _running(self) -> Path:
        return self.root / "up.json"


def _locks(file: TextIO) -> bool:
    """Take the lock; try for a moment, since who asks for the holder has it shared just as long."""
    deadline = time.monotonic() + _ASKERS_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True
