"""Logs on standard error: one line an entry, as text for people or JSON for collectors."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal, TextIO

LogFormat = Literal["text", "json"]

_BY_CLIENTS = ("aiohttp.http_exceptions", "aiohttp.web_protocol")  # where such errors are from


def configure(log_format: LogFormat, *, stream: TextIO | None = None) -> None:
    """Send the log of every module to `stream` (standard error), replacing what was set up."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Each request of a client or a scraper is no news.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(_of_clients)


def _of_clients(record: logging.LogRecord) -> bool:
    """Tell what is no HTTP request in a line: the fault is a client's, and needs no trace of ours.

    Its words are left out: the header that is wrong may be the one with a key.
    """
    error = record.exc_info[1] if record.exc_info else None
    if type(error).__module__ in _BY_CLIENTS:
        record.msg, record.args = "a client sent no HTTP request: %s", (type(error).__name__,)
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.exc_info = None
    return True


# What somebody named an object may hold anything, also what ends a line or moves a terminal.
_ESCAPED = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}


class _TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's own name
        record.message = record.message.translate(_ESCAPED)
        return super().formatMessage(record)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802, ARG002  # logging's own name
        return _moment(record).strftime("%H:%M:%S.%f")[:-3]


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": _moment(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
