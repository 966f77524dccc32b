"""The shim's socket: requests in, answers and events out, for the same user (or root) only."""

import contextlib
import json
import os
import select
import signal
import socket
import struct

from llmaz.shim import errand, fields, proc, protocol
from llmaz.shim.container import Container
from llmaz.shim.crash import Effects
from llmaz.shim.engine import Engine
from llmaz.shim.output import Output
from llmaz.shim.protocol import Refused
from llmaz.shim.spawn import Spec

IDLE_SECONDS = 60.0  # how often one without an engine looks whether its directory is there
_MAX_BACKLOG_BYTES = 1 << 20  # of a client that does not read: it is let go
_MAX_LOG_BYTES = 1 << 17  # of one answer: as JSON, a byte that is no text takes six
_MAX_CLIENTS = 64  # an agent has one connection; a shim without descriptors could not go on


class Client:
    """One connection."""

    __slots__ = ("incoming", "outgoing", "socket", "watching")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.watching = False


class Server:
    """Answers requests about one engine until it is told to shut down."""

    def __init__(
        self, engine: Engine, output: Output, effects: Effects, slot: Container | None = None
    ) -> None:
        self._engine = engine
        self._output = output
        self._effects = effects
        self._slot = slot
        self._clients: dict[int, Client] = {}
        self._poll = select.poll()
        self._listener = _listen(effects)
        self._leaving = False

    def run(self) -> None:
        """Serve until the shutdown; the engine has ended by then."""
        woken = _wake_on_signals()
        self._poll.register(self._listener, select.POLLIN)
        self._poll.register(woken, select.POLLIN)
        while not (self._leaving and not self._engine.alive):
            self._turn(woken)
        for client in self._clients.values():
            _flush(client)
        self._effects.announce("remove the socket")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(protocol.SOCKET)

    def _turn(self, woken: int) -> None:
        source = self._output.source
        if source >= 0:
            self._poll.register(source, select.POLLIN)
        ready = self._poll.poll(min(self._engine.wait_seconds(), IDLE_SECONDS) * 1000)
        if source >= 0:
            self._poll.unregister(source)
        for descriptor, happened in ready:
            if descriptor == woken:
                if signal.SIGTERM in os.read(woken, 512):
                    self._terminate()
            elif descriptor == self._listener.fileno():
                self._accept()
            elif descriptor in self._clients:
                self._serve(self._clients[descriptor], happened)
        for event in self._engine.step():
            self._tell(event)
        if self._is_forsaken():
            self._leaving = True

    def _is_forsaken(self) -> bool:
        """Whether nobody can ever reach this shim: its directory was deleted around it."""
        return not (self._engine.alive or self._clients or os.path.exists(protocol.LOCK))

    def _terminate(self) -> None:
        """End the engine, then this process: what a pod's end means where the shim is its first."""
        self._leaving = True
        grace = 30.0 if self._slot is None else self._slot.grace
        self._engine.stop(grace=grace, number=signal.SIGTERM)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        _, uid, _ = struct.unpack("3i", credentials)
        if uid not in (0, os.geteuid()) or len(self._clients) >= _MAX_CLIENTS:
            connection.close()
            return
        connection.setblocking(False)
        self._clients[connection.fileno()] = Client(connection)
        self._poll.register(connection, select.POLLIN)

    def _serve(self, client: Client, happened: int) -> None:
        if happened & select.POLLOUT:
            self._push(client)
        if not happened & (select.POLLIN | select.POLLHUP | select.POLLERR):
            return
        try:
            data = client.socket.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        client.incoming += data
        while (end := client.incoming.find(b"\n")) >= 0:
            line = bytes(client.incoming[:end])
            del client.incoming[: end + 1]
            self._send(client, self._answer(client, line))
        if len(client.incoming) > protocol.MAX_REQUEST_BYTES:
            self._drop(client)

    def _answer(self, client: Client, line: bytes) -> dict[str, object]:
        head: dict[str, object] = {"v": protocol.VERSION}
        try:
            request = _parse(line)
            head["id"] = request.get("id")
            if request.get("v") not in protocol.SUPPORTED:
                spoken = ", ".join(map(str, protocol.SUPPORTED))
                raise Refused(protocol.BAD_VERSION, f"this shim speaks version {spoken}")
            return {**head, "ok": True, **self._carry_out(client, request)}
        except Refused as refusal:
            return {**head, "ok": False, "error": refusal.code, "message": refusal.message}
        except (ArithmeticError, KeyError, RecursionError, TypeError, ValueError) as error:
            text = f"the request can't be read: {error!r}"
            return {**head, "ok": False, "error": protocol.BAD_REQUEST, "message": text}

    def _carry_out(self, client: Client, request: dict[str, object]) -> dict[str, object]:
        match request.get("op"):
            case protocol.START:
                self._start(request)
            case protocol.STOP:
                number = fields.signal_number(request.get("signal", int(signal.SIGTERM)))
                self._engine.stop(grace=fields.number(request["grace"]), number=number)
            case protocol.SIGNAL:
                self._engine.signal(fields.signal_number(request["signal"]))
            case protocol.WARM:
                rate = max(1, fields.integer(request["rate"]))
                self._engine.warm(fields.texts(request["paths"]), rate)
            case protocol.STATUS:
                tail = {"tail": self._output.tail()} if request.get("tail") else {}
                return {"status": {**self._status(), **tail}}
            case protocol.LOGS:
                limit = min(fields.integer(request.get("limit", 1 << 16)), _MAX_LOG_BYTES)
                run, offset = (
                    fields.integer(request.get("run", 0)),
                    fields.integer(request.get("offset", 0)),
                )
                if not 0 <= run <= protocol.FORMER_RUNS:
                    raise Refused(protocol.BAD_REQUEST, f"run {run}: this one is 0, the oldest 2")
                return self._output.read(run, offset, limit)
            case protocol.WATCH:
                client.watching = True
            case protocol.SHUTDOWN:
                if self._engine.alive:
                    raise Refused(protocol.BUSY, "the engine has not ended")
                self._leaving = True
            case protocol.DRAIN | protocol.READY | protocol.EXECUTE if self._slot is not None:
                return self._slotted(client, self._slot, request)
            case unknown:
                raise Refused(protocol.BAD_REQUEST, f"no operation is called {unknown!r}")
        return {"status": self._status()}

    def _slotted(
        self, client: Client, slot: Container, request: dict[str, object]
    ) -> dict[str, object]:
        """Carry out what only the shim of a slot is asked."""
        if request["op"] == protocol.EXECUTE:
            seconds = fields.number(request["seconds"])
            errand.begin(client.socket, self._spec(request), seconds)
            return {"status": self._status()}
        if request["op"] == protocol.READY:
            slot.ready = bool(request["ready"])
            return {"status": self._status()}
        slot.draining, slot.ready = True, False
        self._tell(protocol.DRAIN_EVENT)
        return {
            "status": self._status(),
            "watched": any(client.watching for client in self._clients.values()),
        }

    def _status(self) -> dict[str, object]:
        about = {} if self._slot is None else {"slot": self._slot.about()}
        work = {} if self._slot is None else {"work": proc.work(os.getpid())}
        return {**self._engine.status(), **about, **work}

    def _start(self, request: dict[str, object]) -> None:
        if self._slot is not None and self._slot.draining:
            raise Refused(protocol.DRAINING, "the slot is about to end")
        if self._leaving:
            raise Refused(protocol.BUSY, "the shim is about to end")
        self._engine.start(
            self._spec(request),
            epoch=fields.integer(request["epoch"]),
            fingerprint=fields.text(request["fingerprint"]),
            limits=fields.int_map(request.get("limits", {})),
        )

    def _spec(self, request: dict[str, object]) -> Spec:
        """Read what to execute; in a container its own variables are there as well."""
        around = self._slot.environ if self._slot is not None else {}
        spec = Spec(
            argv=fields.texts(request["argv"]),
            env={**around, **fields.text_map(request["env"])},
            cwd=fields.text(request.get("cwd", ".")),
            rlimits=fields.int_map(request.get("rlimits", {})),
        )
        if not spec.argv:
            raise Refused(protocol.BAD_REQUEST, "argv is empty")
        return spec

    def _tell(self, event: str) -> None:
        message = {"v": protocol.VERSION, "event": event, "status": self._status()}
        for client in [client for client in self._clients.values() if client.watching]:
            self._send(client, message)

    def _send(self, client: Client, message: dict[str, object]) -> None:
        client.outgoing += json.dumps(message).encode() + b"\n"
        self._push(client)

    def _push(self, client: Client) -> None:
        if not _flush(client) or len(client.outgoing) > _MAX_BACKLOG_BYTES:
            self._drop(client)
        elif client.socket.fileno() >= 0:
            wanted = select.POLLIN | (select.POLLOUT if client.outgoing else 0)
            self._poll.modify(client.socket, wanted)

    def _drop(self, client: Client) -> None:
        descriptor = client.socket.fileno()
        if self._clients.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)
            client.socket.close()


def _listen(effects: Effects) -> socket.socket:
    """Bind by a relative name: an absolute one may exceed the 107 bytes that are allowed."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    effects.announce("bind the socket")
    if os.path.exists(protocol.SOCKET):
        os.unlink(protocol.SOCKET)
    former = os.umask(0o177)
    listener.bind(protocol.SOCKET)
    os.umask(former)
    listener.listen(16)
    listener.setblocking(False)
    return listener


def _wake_on_signals() -> int:
    read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return read


def _flush(client: Client) -> bool:
    try:
        while client.outgoing:
            sent = client.socket.send(client.outgoing)
            del client.outgoing[:sent]
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def _parse(line: bytes) -> dict[str, object]:
    request = json.loads(line)
    if not isinstance(request, dict):
        raise TypeError("it is not an object")
    return request
