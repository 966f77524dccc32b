"""Answers requests for bytes as a server does, ranges included, and goes wrong where it is told."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import web

_BLOCK = 2**16


@dataclass(frozen=True)
class Cut:
    """The connection breaks after so many bytes."""

    after: int


@dataclass(frozen=True)
class Stall:
    """Nothing comes after so many bytes, and the connection stays."""

    after: int


@dataclass(frozen=True)
class WrongLength:
    """More or fewer bytes are announced and sent than were asked for."""

    by: int


@dataclass(frozen=True)
class WrongBytes:
    """One bit is another."""


@dataclass(frozen=True)
class OtherRange:
    """The bytes come from elsewhere in the file than was asked for."""


@dataclass(frozen=True)
class OtherVersion:
    """The file is another by now, and the server takes no notice of If-Match."""


@dataclass(frozen=True)
class NoRanges:
    """The whole file comes, whatever range was asked for."""


@dataclass(frozen=True)
class Status:
    """There is an error instead."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Redirect:
    """The bytes are elsewhere."""

    to: str


Fault: TypeAlias = (
    Cut
    | Stall
    | WrongLength
    | WrongBytes
    | OtherRange
    | OtherVersion
    | NoRanges
    | Status
    | Redirect
)


@dataclass
class Downloads:
    """How bytes are sent. Each fault happens to one request, in their order."""

    faults: list[Fault] = field(default_factory=list)
    bytes_a_second: int | None = None  # over all connections
    gate: asyncio.Event | None = None  # what comes before it is half of each answer
    asked: list[tuple[int, int]] = field(default_factory=list)  # ranges
    sent: int = 0
    seen_headers: list[Mapping[str, str]] = field(default_factory=list)
    _end: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(
        self, request: web.Request, data: bytes, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        """Answer one request for `data`."""
        self.seen_headers.append(dict(request.headers))
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Status):
            return web.Response(status=fault.code, headers=fault.headers)
        if isinstance(fault, Redirect):
            return web.Response(status=302, headers={"Location": fault.to})
        start, stop = request.http_range.start or 0, request.http_range.stop or len(data)
        if isinstance(fault, NoRanges):
            start, stop = 0, len(data)
        if start >= len(data) > 0:
            return web.Response(status=416)
        ranged = "Range" in request.headers and not isinstance(fault, NoRanges)
        self.asked.append((start, min(stop, len(data))))
        body = data[start:stop]
        if isinstance(fault, WrongBytes):
            body = bytes([body[0] ^ 1]) + body[1:]
        if isinstance(fault, WrongLength):
            body = body[: fault.by] if fault.by < 0 else body + bytes(fault.by)
        shown = start + 1 if isinstance(fault, OtherRange) else start
        response = web.StreamResponse(status=206 if ranged else 200, headers=headers)
        if ranged:
            response.headers["Content-Range"] = f"bytes {shown}-{stop - 1}/{len(data)}"
            if stop > len(data):
                response.headers["Content-Range"] = f"bytes {shown}-{len(data) - 1}/{len(data)}"
        if isinstance(fault, OtherVersion):
            response.headers["ETag"] = '"another"'
        response.content_length = len(body)
        await response.prepare(request)
        if request.method != "HEAD":
            await self._write(request, response, body, fault)
        return response

    async def _write(
        self, request: web.Request, response: web.StreamResponse, body: bytes, fault: Fault | None
    ) -> None:
        if isinstance(fault, (Cut, Stall)):
            await response.write(body[: fault.after])
            self.sent += len(body[: fault.after])
            if isinstance(fault, Stall):
                await self._end.wait()
            assert request.transport is not None
            request.transport.abort()
            return
        if self.gate is not None:
            await response.write(body[: len(body) // 2])
            await self.gate.wait()
            body = body[len(body) // 2 :]
        for at in range(0, len(body), _BLOCK):
            block = body[at : at + _BLOCK]
            self.sent += len(block)
            await response.write(block)
            if self.bytes_a_second is not None:
                await asyncio.sleep(_BLOCK / self.bytes_a_second)
