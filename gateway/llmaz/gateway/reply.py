"""An answer that is written to the client's connection in the moment in which it comes.

aiohttp's own writer is a coroutine, which only a task can call: one more turn of the event loop for
each token. Everything else about the client's connection stays aiohttp's.
"""

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from llmaz.gateway.wire import Head

# Of one connection, not of the message (RFC 9110, 7.6.1); what frames the message is set anew.
OF_THE_CONNECTION = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer"}
    | {b"transfer-encoding", b"upgrade", b"host", b"content-length", b"expect"}
)
EVENTS = b"text/event-stream"
_EVENT_ENDS = (b"\n\n", b"\r\n\r\n")
WAITING = Head(
    *(200, b"OK", ((b"Content-Type", EVENTS), (b"Cache-Control", b"no-cache"))),
    length=None,
    chunked=True,
    lasting=True,
)
_MOST_BEHIND_BYTES = 64 * 1024  # asyncio's own high-water mark: above it, drained() waits
Headers = tuple[tuple[bytes, bytes], ...]


class Reply(web.StreamResponse):
    """The client's side of one request, from the head of the answer to its end."""

    def __init__(self, request: web.Request, head: Head) -> None:
        super().__init__(status=head.status)
        self._writer: AbstractStreamWriter = request.writer
        self._transport = request.transport
        self._head = head
        # Before HTTP/1.1 there were no chunks: a body of unknown length ends with its connection.
        self._chunked_here = head.length is None and request.version >= HttpVersion11
        self._lasts = bool(request.keep_alive) and request.version >= HttpVersion11
        self._begun = False
        self._last = b""  # what was passed on last

    @property
    def keep_alive(self) -> bool:
        """Whether aiohttp may read another request from the connection."""
        return self._lasts

    @property
    def has_begun(self) -> bool:
        return self._begun

    @property
    def is_stream_of_events(self) -> bool:
        return self._head.content_type.startswith(EVENTS)

    def pass_on(self, payload: bytes) -> bool:
        """Write a part of the body, the first with the head; return whether the client keeps up."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return True  # the client is gone, and its handler is about to be cancelled
        self._last = payload
        framed = b"%x\r\n%b\r\n" % (len(payload), payload) if self._chunked_here else payload
        if not self._begun:
            self._begun = True
            framed = self._head_bytes() + framed
        transport.write(framed)
        return transport.get_write_buffer_size() <= _MOST_BEHIND_BYTES

    async def drained(self) -> None:
        """Wait until a client that was behind has read on."""
        await self._writer.drain()

    def begin(self) -> None:
        """Write the head where it does not wait for the body."""
        if self._transport is not None and not self._begun:
            self._begun = True
            self._transport.write(self._head_bytes())

    def break_off(self, event: bytes) -> None:
        """End the connection before the body's end, so that what is cut short does not look whole.

        A stream of events is told why, by one event more, which is none of one that was cut.
        """
        self._lasts = False
        if self.is_stream_of_events:
            self.pass_on(event if self._last.endswith(_EVENT_ENDS) else b"\n\n" + event)
        if self._transport is not None:
            self._transport.close()

    # The next two are what aiohttp calls behind every handler.

    async def prepare(self, _: web.BaseRequest) -> AbstractStreamWriter | None:
        """Do nothing: the head is written with the first bytes of the body."""
        return self._writer

    async def write_eof(self, _: bytes = b"") -> None:
        """End the body, whose bytes have all been passed on."""
        if self._transport is None or self._transport.is_closing():
            return
        last = b"0\r\n\r\n" if self._chunked_here else b""
        if not self._begun:
            last = self._head_bytes() + last
        if last:
            self._transport.write(last)
        if not self._lasts:
            self._transport.close()

    def _head_bytes(self) -> bytes:
        head = self._head
        lines = [b"HTTP/1.1 %d %b\r\n" % (head.status, head.reason)]
        lines += (b"%b: %b\r\n" % header for header in passed_on(head.headers))
        if self._chunked_here:
            lines.append(b"Transfer-Encoding: chunked\r\n")
        elif head.length is not None and head.status not in (204, 304):
            lines.append(b"Content-Length: %d\r\n" % head.length)
        lines.append(b"\r\n" if self._lasts else b"Connection: close\r\n\r\n")
        return b"".join(lines)


def passed_on(headers: Headers, kept_back: frozenset[bytes] = frozenset()) -> Headers:
    """Return the headers that concern more than one connection, without those to keep back."""
    dropped = OF_THE_CONNECTION | kept_back
    for name, value in headers:
        if name.lower() == b"connection":
            dropped |= {one.strip().lower() for one in value.split(b",")}
    return tuple(header for header in headers if header[0].lower() not in dropped)
