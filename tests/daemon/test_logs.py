import io
import json
import logging
import subprocess
import sys

PROGRAM = """
import logging, sys
from llmaz.daemon import logs
logs.configure(sys.argv[1])
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("llmaz.test").exception("failed on %s", "node")
logging.getLogger("aiohttp.access").info("GET /metrics")
"""


def run(log_format: str) -> list[str]:
    program = [sys.executable, "-c", PROGRAM, log_format]
    return subprocess.run(program, capture_output=True, text=True, check=True).stderr.splitlines()


def test_json_is_one_object_a_line_with_its_exception() -> None:
    (line,) = run("json")
    entry = json.load(io.StringIO(line))
    assert (entry["level"], entry["logger"], entry["message"]) == (
        "error",
        "llmaz.test",
        "failed on node",
    )
    assert "ZeroDivisionError" in entry["exception"]


def test_text_says_when_how_bad_who_and_what() -> None:
    first = run("text")[0]
    assert first.split(maxsplit=2)[1:] == [
        logging.getLevelName(logging.ERROR),
        "llmaz.test: failed on node",
    ]


def test_what_is_no_http_request_is_told_in_a_line_without_its_words() -> None:
    program = """
import logging
from aiohttp.http_exceptions import LineTooLong
from llmaz.daemon import logs
logs.configure("text")
try:
    raise LineTooLong(b"Authorization: Bearer secret", 8190)
except LineTooLong:
    logging.getLogger("aiohttp.server").exception("Error handling request")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    (line,) = done.stderr.splitlines()
    assert line.endswith("INFO    aiohttp.server: a client sent no HTTP request: LineTooLong")


def test_a_name_with_signs_that_move_a_terminal_stays_on_its_line() -> None:
    program = """
import logging
from llmaz.daemon import logs
logs.configure("text")
logging.getLogger("llmaz.test").info("no model %s", "a\\0b\\nc\\x1b[2Jd")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    (line,) = done.stderr.splitlines()
    assert line.endswith(r"no model a\x00b\nc\x1b[2Jd")
