"""A fake engine: it speaks the OpenAI API and misbehaves in the ways that its switches ask for.

Run it as `python engine.py --port N --model NAME [switches]`. Standard library only, so that it
starts fast.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PHASES = ("start", "bind", "ready", "request")
# The calls of two kinds of engines. Only the first kind tells whether it sleeps, and can be told
# the same twice.
SLEEPS = {
    "vllm": ("/sleep?level=1", "/wake_up"),
    "sglang": ("/release_memory_occupation", "/resume_memory_occupation"),
}
HOLDING = "import time; time.sleep(100000)"


class State:
    """What the engine has done so far; `lock` guards the counters."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.lock = threading.Lock()
        self.in_flight = 0
        self.tokens = 0
        self.requests = 0
        self.hanging = threading.Event()
        self.unwell = threading.Event()
        self.asleep = threading.Event()


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--model", default="fake")
    parser.add_argument("--list-model", help="the name that /v1/models shows instead of --model")
    parser.add_argument("--lora-modules", nargs="*", default=[], help="NAME=PATH of each adapter")
    parser.add_argument("--strict", action="store_true", help="refuses other names of its model")
    parser.add_argument("--no-metrics", action="store_true")
    parser.add_argument("--start-seconds", type=float, default=0.0, help="before it listens")
    parser.add_argument("--load-seconds", type=float, default=0.0, help="it listens, answers 503")
    parser.add_argument("--chatter", action="store_true", help="logs while it loads")
    parser.add_argument("--crash-at", choices=PHASES)
    parser.add_argument("--crash-code", type=int, default=1)
    parser.add_argument("--crash-text", default="", help="printed before it crashes")
    parser.add_argument("--crash-signal", help="die by this signal instead of an exit code")
    parser.add_argument("--fork", type=int, default=0, help="children in its own session")
    parser.add_argument("--setsid", type=int, default=0, help="children in sessions of their own")
    parser.add_argument("--double-fork", type=int, default=0, help="orphans that leave it")
    parser.add_argument("--clear-environment", action="store_true", help="of those children")
    parser.add_argument("--pids-file", type=Path, help="where the pids of its tree are written")
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--hang-after", type=int, help="requests; /health goes on saying 200")
    parser.add_argument("--hang-spins", action="store_true", help="uses a processor as it hangs")
    parser.add_argument("--token-seconds", type=float, default=0.0, help="for each token")
    parser.add_argument("--drain-seconds", type=float, default=0.0, help="after SIGTERM")
    parser.add_argument("--hold-file", type=Path, help="stands for device memory: its pid is in it")
    parser.add_argument("--flood-bytes", type=int, default=0, help="written to its log at once")
    parser.add_argument("--print-environment", action="store_true")
    parser.add_argument("--sleeps", choices=SLEEPS, help="whose calls it knows to sleep and wake")
    parser.add_argument("--wake-seconds", type=float, default=0.0)
    parser.add_argument("--no-wake", action="store_true", help="it never wakes again")
    return parser.parse_args()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def crash(given: argparse.Namespace, phase: str) -> None:
    if given.crash_at != phase:
        return
    if given.crash_text:
        say(given.crash_text)
    if given.crash_signal:
        signal.signal(signal.Signals[given.crash_signal], signal.SIG_DFL)
        os.kill(os.getpid(), signal.Signals[given.crash_signal])
    os._exit(given.crash_code)


def spawn_children(given: argparse.Namespace) -> list[int]:
    env: dict[str, str] | None = {} if given.clear_environment else None
    command = [sys.executable, "-I", "-S", "-c", HOLDING]
    own = [subprocess.Popen(command, env=env).pid for _ in range(given.fork)]
    apart = [
        subprocess.Popen(command, env=env, start_new_session=True).pid for _ in range(given.setsid)
    ]
    return own + apart + [_double_fork(command, env) for _ in range(given.double_fork)]


def _double_fork(command: list[str], env: dict[str, str] | None) -> int:
    """Start a grandchild whose parent ends at once, so that it belongs to nobody."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        grandchild = os.fork()
        if grandchild == 0:
            os.execve(command[0], command, dict(os.environ) if env is None else env)
        os.write(tell, str(grandchild).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return int(os.read(told, 16))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: State
    started_at: float

    def do_GET(self) -> None:
        loading = time.monotonic() - self.started_at < self.state.options.load_seconds
        loading = loading or self.state.unwell.is_set()
        if self.path == "/health":
            self._send(503 if loading else 200, {"status": "loading" if loading else "ok"})
        elif self.path == "/v1/models":
            name = self.state.options.list_model or self.state.options.model
            self._send(200, {"object": "list", "data": [{"id": name, "object": "model"}]})
        elif self.path == "/is_sleeping" and self.state.options.sleeps == "vllm":
            self._send(200, {"is_sleeping": self.state.asleep.is_set()})
        elif self.path == "/metrics" and not self.state.options.no_metrics:
            self._metrics()
        else:
            self._send(404, {"error": "no such path"})

    def do_POST(self) -> None:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        given = self.state.options
        if given.sleeps and self.path in SLEEPS[given.sleeps]:
            self._rest(falls_asleep=self.path == SLEEPS[given.sleeps][0])
            return
        if self.state.asleep.is_set():  # as the real ones do when they have no memory to work in
            say("asked while asleep")
            os._exit(1)
        if self.path not in ("/v1/completions", "/v1/chat/completions"):
            self._send(404, {"error": "no such path"})
            return
        if given.strict and body["model"] != (given.list_model or given.model):
            self._send(404, {"error": "no such model"})
            return
        with self.state.lock:
            self.state.requests += 1
            self.state.in_flight += 1
            hangs = given.hang_after is not None and self.state.requests > given.hang_after
        crash(given, "request")
        try:
            if hangs or self.state.hanging.is_set():
                _hang(spins=given.hang_spins)
            self._complete(body)
        finally:
            with self.state.lock:
                self.state.in_flight -= 1

    def _rest(self, *, falls_asleep: bool) -> None:
        given, asleep = self.state.options, self.state.asleep
        if given.sleeps == "sglang" and asleep.is_set() is falls_asleep:
            say("told twice")
            os._exit(1)
        with self.state.lock:
            busy = self.state.in_flight
        if falls_asleep and busy:
            say(f"told to sleep with {busy} requests in flight")
            os._exit(1)
        if falls_asleep:
            asleep.set()
        elif given.no_wake:
            self._send(500, {"error": "it can't wake"})
            return
        else:
            time.sleep(given.wake_seconds)
            asleep.clear()
        self._send(200, {})

    def _complete(self, body: dict[str, Any]) -> None:
        count = int(body.get("max_tokens") or 16)
        chat = self.path == "/v1/chat/completions"
        if body.get("stream"):
            self._stream(count, chat=chat)
            return
        self._generate(count)
        text = " ".join(f"t{i}" for i in range(count))
        choice = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        usage = {"prompt_tokens": 1, "completion_tokens": count, "total_tokens": count + 1}
        finish = {"index": 0, "finish_reason": "length", **choice}
        self._send(200, {"id": "1", "model": self._name(), "choices": [finish], "usage": usage})

    def _stream(self, count: int, *, chat: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(count):
            self._generate(1)
            piece = {"delta": {"content": f"t{number} "}} if chat else {"text": f"t{number} "}
            event = {"id": "1", "model": self._name(), "choices": [{"index": 0, **piece}]}
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _generate(self, count: int) -> None:
        for _ in range(count):
            time.sleep(self.state.options.token_seconds)
            with self.state.lock:
                self.state.tokens += 1

    def _name(self) -> str:
        return str(self.state.options.model)

    def _metrics(self) -> None:
        with self.state.lock:
            page = (
                f"llamacpp:requests_processing {self.state.in_flight}\n"
                f"llamacpp:tokens_predicted_total {self.state.tokens}\n"
            )
        self._write(200, page.encode(), "text/plain")

    def _send(self, status: int, body: dict[str, Any]) -> None:
        self._write(status, json.dumps(body).encode(), "application/json")

    def _write(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        pass


def _hang(*, spins: bool) -> None:
    while spins:
        pass
    threading.Event().wait()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    given = options()
    crash(given, "start")
    if given.flood_bytes:
        sys.stdout.write(("x" * 99 + "\n") * (given.flood_bytes // 100))
    if given.print_environment:
        for name, value in sorted(os.environ.items()):
            say(f"{name}={value}")
    pids = [os.getpid(), *spawn_children(given)]
    if given.hold_file:
        given.hold_file.write_text(str(os.getpid()))
    if given.pids_file:
        beside = given.pids_file.with_suffix(".new")
        beside.write_text(json.dumps(pids))
        beside.rename(given.pids_file)
    _load(given)
    crash(given, "bind")
    state = State(given)
    Handler.state, Handler.started_at = state, time.monotonic()
    server = Server((given.host, given.port), Handler)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if given.ignore_term else _end_later(given))
    signal.signal(signal.SIGUSR1, lambda *_: state.hanging.set())  # /health goes on saying 200
    signal.signal(
        signal.SIGUSR2, lambda *_: _toggle(state.unwell)
    )  # /health says 503, or 200 again
    say(f"fake engine serves {given.model} at port {given.port}")
    crash(given, "ready")
    server.serve_forever()


def _toggle(event: threading.Event) -> None:
    if event.is_set():
        event.clear()
    else:
        event.set()


def _load(given: argparse.Namespace) -> None:
    until = time.monotonic() + given.start_seconds
    while time.monotonic() < until:
        if given.chatter:
            say("loading")
        time.sleep(0.05)


def _end_later(given: argparse.Namespace) -> Callable[..., None]:
    def end(*_: object) -> None:
        threading.Timer(given.drain_seconds, os._exit, (0,)).start()  # it answers meanwhile

    return end


if __name__ == "__main__":
    main()
