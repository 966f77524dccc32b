"""Serves ranges of files that a driver opens, over HTTP on loopback, to this process alone."""

import re
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import unquote

_BLOCK = 2**20
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class Opened(Protocol):
    """A file that a driver opened."""

    def seek(self, offset: int, whence: int = 0) -> object: ...

    def tell(self) -> int: ...

    def read(self, size: int) -> bytes: ...

    def close(self) -> None: ...


class Bridge:
    """A server that ends with its process. Drivers with one connection are asked one by one."""

    def __init__(
        self, open_file: Callable[[str, str], Opened], key: str, *, one_at_a_time: bool
    ) -> None:
        turn: AbstractContextManager[object] = threading.Lock() if one_at_a_time else nullcontext()

        class Handler(_Handler):
            opener = staticmethod(open_file)
            prefix = f"/{key}/"
            turns = turn

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/{key}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    opener: Callable[[str, str], Opened]
    prefix: str
    turns: AbstractContextManager[object]

    def do_GET(self) -> None:
        if not self.path.startswith(self.prefix):
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        path = unquote(self.path.removeprefix(self.prefix))
        try:
            with self.turns:
                file = self.opener(path, "rb")
        except FileNotFoundError:
            self._refuse(HTTPStatus.NOT_FOUND)
        except PermissionError:
            self._refuse(HTTPStatus.FORBIDDEN)
        except Exception:  # drivers raise what they like; the fetch tries again
            self._refuse(HTTPStatus.BAD_GATEWAY)
        else:
            self._send(file)

    def _send(self, file: Opened) -> None:
        try:
            with self.turns:
                file.seek(0, 2)
                size = file.tell()
            match = _RANGE.fullmatch(self.headers.get("Range", ""))
            start, end = (int(match[1]), int(match[2]) + 1) if match else (0, size)
            end = min(end, size)
            if start >= end:
                self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                return
            self.send_response(HTTPStatus.PARTIAL_CONTENT if match else HTTPStatus.OK)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
            self.send_header("Content-Length", str(end - start))
            self.end_headers()
            self._copy(file, start, end)
        except Exception:  # a broken answer is a cut one, which the fetch bears
            self.close_connection = True
        finally:
            with self.turns:
                file.close()

    def _copy(self, file: Opened, start: int, end: int) -> None:
        at = start
        while at < end:
            with self.turns:
                file.seek(at)
                block = file.read(min(_BLOCK, end - at))
            if not block:
                self.close_connection = True
                return
            self.wfile.write(block)
            at += len(block)

    def _refuse(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing: paths may be secret."""
