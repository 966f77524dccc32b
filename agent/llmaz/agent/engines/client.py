"""The agent's end of a shim's socket: requests with answers, and the shim's events as they come."""

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, cast

from llmaz.agent.engines.errors import ShimLost, ShimRefused
from llmaz.agent.slots.about import SlotAbout
from llmaz.shim import protocol

# A shim answers in milliseconds, but a disk may take long to sync its journal.
ANSWER_SECONDS = 10.0
_LINE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ShimExit:
    """How a run ended, as its parent saw it."""

    at: datetime
    code: int | None = None
    signal: int | None = None
    oom: bool = False
    asked: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShimStatus:
    """A shim's word on its engine."""

    shim_pid: int
    state: str
    run: int
    epoch: int
    fingerprint: str
    pid: int | None
    started_at: datetime | None
    exit: ShimExit | None
    clear: bool
    log_bytes: int
    reaped: int = 0  # processes of this run that a killed shim left, and this one ended
    tail: str = ""
    slot: SlotAbout | None = None  # of the shim of a slot: what it tells of its container
    work: tuple[int, ...] = ()  # of such a one, whose processes are not to be seen from outside

    @classmethod
    def read(cls, status: Mapping[str, object]) -> "ShimStatus":
        """Read the wire's form; what a newer shim adds is passed over."""
        engine = cast("list[int] | None", status.get("engine"))
        started = cast("float | None", status.get("started_at"))
        ended = cast("dict[str, object] | None", status.get("exit"))
        return cls(
            shim_pid=cast("list[int]", status["shim"])[0],
            state=str(status["state"]),
            run=cast("int", status["run"]),
            epoch=cast("int", status["epoch"]),
            fingerprint=str(status["fingerprint"]),
            pid=engine[0] if engine else None,
            started_at=None if started is None else datetime.fromtimestamp(started, UTC),
            exit=None if ended is None else _read_exit(ended),
            clear=bool(status["clear"]),
            reaped=cast("int", status.get("reaped", 0)),
            log_bytes=cast("int", status.get("log_bytes", 0)),
            tail=str(status.get("tail", "")),
            slot=SlotAbout.read(status.get("slot")),
            work=tuple(cast("list[int]", status.get("work") or ())),
        )

    @property
    def running(self) -> bool:
        """Whether the engine's first process lives."""
        return self.state in (protocol.STARTING, protocol.RUNNING, protocol.STOPPING)


class Shim(Protocol):
    """A shim as its engine's supervision sees it. `status` is its last word."""

    lost: asyncio.Event

    @property
    def status(self) -> ShimStatus: ...

    async def request(self, operation: str, **fields: object) -> dict[str, object]: ...

    async def tail(self) -> str: ...

    async def close(self) -> None: ...


class ShimClient:
    """One connection to one shim. `status` is kept up to date by the shim's events."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_change: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._on_change = on_change
        self._answers: dict[int, asyncio.Future[dict[str, object]]] = {}
        self._count = 0
        self._status: ShimStatus | None = None
        self._listening = asyncio.create_task(self._listen())
        self.lost = asyncio.Event()

    @classmethod
    async def connect(cls, directory: Path, on_change: Callable[[], None]) -> "ShimClient":
        """Connect to the shim of `directory` and watch it; `on_change` is called for each event.

        Raises OSError when no shim listens, TimeoutError when one is there but does not answer.
        """
        handle = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:  # by the handle, since a socket's path is limited to 107 bytes
            path = f"/proc/self/fd/{handle}/{protocol.SOCKET}"
            reader, writer = await asyncio.open_unix_connection(path, limit=_LINE_BYTES)
        finally:
            os.close(handle)
        client = cls(reader, writer, on_change)
        try:
            await client.request(protocol.WATCH)
        except BaseException:
            await client.close()
            raise
        return client

    @property
    def status(self) -> ShimStatus:
        """The shim's last word."""
        if self._status is None:
            raise ShimLost("the shim has not said anything yet")
        return self._status

    async def request(self, operation: str, **fields: object) -> dict[str, object]:
        """Ask for an operation and return the answer; its status becomes `status`."""
        if self.lost.is_set():
            raise ShimLost("the shim is gone")
        self._count += 1
        number = self._count
        answer: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        message = {"v": protocol.VERSION, "id": number, "op": operation, **fields}
        try:
            self._writer.write(json.dumps(message).encode() + b"\n")
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._writer.drain()
                reply = await answer
        except OSError as error:
            raise ShimLost(f"the shim is gone: {error}") from error
        finally:
            self._answers.pop(number, None)
            answer.cancel()  # of one that nobody waits for any more, nothing is to be said
        if not reply.get("ok"):
            raise ShimRefused(str(reply.get("error")), str(reply.get("message")))
        return reply

    async def tail(self) -> str:
        """Return the last 64 KiB of the run's output."""
        reply = await self.request(protocol.STATUS, tail=True)
        return ShimStatus.read(cast("dict[str, object]", reply["status"])).tail

    async def close(self) -> None:
        """Let go of the shim, which runs on."""
        self._listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listening

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                self._take(json.loads(line))
        except (OSError, ValueError):  # a broken line is a broken connection
            pass
        finally:
            self.lost.set()
            self._writer.close()
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(ShimLost("the shim is gone"))
        self._on_change()

    def _take(self, message: dict[str, object]) -> None:
        if isinstance(status := message.get("status"), dict):
            self._status = ShimStatus.read(status)
        if "event" in message:
            self._on_change()
            return
        answer = self._answers.get(cast("int", message.get("id")))
        if answer is not None and not answer.done():
            answer.set_result(message)


def _read_exit(ended: dict[str, object]) -> ShimExit:
    return ShimExit(
        at=datetime.fromtimestamp(cast("float", ended["at"]), UTC),
        code=cast("int | None", ended.get("code")),
        signal=cast("int | None", ended.get("signal")),
        oom=bool(ended.get("oom")),
        asked=bool(ended.get("asked")),
        error=str(ended.get("error", "")),
    )
