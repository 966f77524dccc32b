"""Questions to a running engine: its runtime's probes, its models, one token, its metrics.

An answer is a value; that an engine does not answer is one too.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import aiohttp

from llmaz.agent.engines.answer import Answer as Answer  # noqa: PLC0414  # what it gives
from llmaz.agent.engines.metrics import Numbers, read_numbers
from llmaz.agent.slots.execute import execute
from llmaz.api.names import ENGINE_PORT
from llmaz.api.pod import Exec, HttpGet, Probe, TcpSocket

PORT_NAMES = ("http", str(ENGINE_PORT))  # what runtimes call the engine's port, whichever it is
_METRICS_BYTES = 4 << 20
_METRICS_PATHS = ("/metrics", "/prometheus/metrics")  # TensorRT-LLM has JSON at the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The engine that is asked."""

    port: int
    model: str  # the name under which it is to list its model
    model_path: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)  # of exec probes and hooks
    host: str = "127.0.0.1"
    slot: Path | None = None  # where the shim of its slot is: commands run there

    def url(self, path: str) -> str:
        return f"http://{self.host}:{self.port}{path}"

    @property
    def accepted_names(self) -> tuple[str, ...]:
        """Names of the model that prove the right one is served.

        TGI lists the path it was given, TensorRT-LLM the path's last part: both name the weights
        exactly.
        """
        if not self.model_path:
            return (self.model,)
        return (self.model, self.model_path, PurePath(self.model_path).name)


class Prober:
    """Asks; holds the connections. `token` requests are the cheapest that engines know."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def probe(self, probe: Probe, target: Target, seconds: float) -> Answer:
        """Ask a runtime's own probe; a gRPC one is taken as a TCP one.

        One that can't be asked fails with words, or its engine would wait for it unwatched.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._probe(probe, target)
        except TimeoutError:
            return Answer(ok=False, detail=f"no answer within {seconds:g} s", heard=False)
        except (OSError, ValueError, aiohttp.ClientError) as error:
            return _failed(error)

    async def health(self, target: Target, seconds: float) -> Answer:
        """Ask `/health`; where an engine has none, listing its models stands in."""
        answer, status = await self._get(target, "/health", seconds)
        if status in (404, 405):
            answer, _ = await self._get(target, "/v1/models", seconds)
        return answer

    async def listed(self, target: Target, seconds: float) -> tuple[Answer, str]:
        """Ask which models are served; return the name by which requests mean this one."""
        try:
            async with asyncio.timeout(seconds):
                async with self._session.get(target.url("/v1/models")) as response:
                    if response.status in (404, 405):  # it lists none: a token will tell
                        return Answer(ok=True), target.model
                    listing = json.loads(await response.text())
        except TimeoutError:
            return Answer(ok=False, detail=f"/v1/models: no answer within {seconds:g} s"), ""
        except (OSError, ValueError, aiohttp.ClientError) as error:
            return _failed(error, "/v1/models: "), ""
        return _found(listing, target)

    async def token(self, target: Target, name: str, seconds: float) -> Answer:
        """Have one token generated, or an embedding.

        An engine that knows neither (it ranks, paints or speaks) has at least answered.
        """
        detail = ""
        chat = [{"role": "user", "content": "Hi"}]
        bodies: tuple[tuple[str, dict[str, object]], ...] = (
            ("/v1/completions", {"prompt": "Hi", "max_tokens": 1}),
            ("/v1/chat/completions", {"messages": chat, "max_tokens": 1}),
            ("/v1/embeddings", {"input": "Hi"}),
        )
        try:
            async with asyncio.timeout(seconds):
                for path, body in bodies:
                    request = self._session.post(target.url(path), json={"model": name, **body})
                    async with request as response:
                        text = await response.text()
                    if response.status < 400:
                        return Answer(ok=True)
                    if response.status not in (404, 405):
                        detail = f"{path} says {response.status}: {text[:200]}"
                    if response.status >= 500:
                        return Answer(ok=False, detail=detail)
        except TimeoutError:
            return Answer(ok=False, detail=f"no token within {seconds:g} s")
        except (OSError, aiohttp.ClientError) as error:
            return _failed(error)
        return Answer(ok=not detail, detail=detail, refused=bool(detail))

    async def numbers(self, target: Target, seconds: float) -> Numbers | None:
        """Read the engine's metrics; None where it has none that are known, or gives none now."""
        with contextlib.suppress(OSError, ValueError, TimeoutError, aiohttp.ClientError):
            async with asyncio.timeout(seconds):
                for path in _METRICS_PATHS:
                    async with self._session.get(target.url(path)) as response:
                        page = await response.content.read(_METRICS_BYTES)
                    numbers = read_numbers(page.decode(errors="replace"))
                    if numbers is not None:
                        return numbers
        return None

    async def post(self, target: Target, path: str, seconds: float) -> Answer:
        """Tell the engine to do something that it answers when it is done."""
        try:
            async with asyncio.timeout(seconds):
                async with self._session.post(target.url(path), json={}) as response:
                    text = await response.text()
        except TimeoutError:
            return Answer(ok=False, detail=f"{path}: no answer within {seconds:g} s")
        except (OSError, aiohttp.ClientError) as error:
            return _failed(error, f"{path}: ")
        said = f"{path} says {response.status}: {text[:200]}"
        return Answer(ok=response.status < 400, detail=said)

    async def says(self, target: Target, path: str, seconds: float) -> bool | None:
        """Ask whether the engine sleeps; None where it does not tell."""
        with contextlib.suppress(OSError, ValueError, TimeoutError, aiohttp.ClientError):
            async with asyncio.timeout(seconds), self._session.get(target.url(path)) as response:
                told = json.loads(await response.text())
            if isinstance(told, dict) and isinstance(told.get("is_sleeping"), bool):
                return bool(told["is_sleeping"])
        return None

    async def run(self, action: Exec, target: Target) -> Answer:
        """Run a command of a probe or a hook, in the engine's environment and without a shell."""
        if not action.command:
            return Answer(ok=False, detail="its command is empty")
        if target.slot is not None:
            return await execute(target.slot, action, target.env)
        process = await asyncio.create_subprocess_exec(
            *action.command,
            env=dict(target.env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        return Answer(ok=code == 0, detail=f"{action.command[0]} exited with code {code}")

    async def fetch(self, ask: HttpGet, target: Target) -> Answer:
        """Make a probe's or hook's HTTP request."""
        host = ask.host or target.host
        path = ask.path if ask.path.startswith("/") else f"/{ask.path}"
        url = f"{ask.scheme.lower()}://{host}:{actual_port(ask.port, target.port)}{path}"
        headers = {header.name: header.value for header in ask.http_headers}
        async with self._session.get(url, headers=headers, ssl=False) as response:
            return Answer(ok=200 <= response.status < 400, detail=f"{path} says {response.status}")

    async def _probe(self, probe: Probe, target: Target) -> Answer:
        if probe.http_get is not None:
            return await self.fetch(probe.http_get, target)
        if probe.exec is not None:
            return await self.run(probe.exec, target)
        if probe.tcp_socket is not None:
            return await connects(probe.tcp_socket, target)
        if probe.grpc is not None:
            return await connects(TcpSocket(port=probe.grpc.port), target)
        return Answer(ok=True)

    async def _get(self, target: Target, path: str, seconds: float) -> tuple[Answer, int]:
        try:
            async with asyncio.timeout(seconds), self._session.get(target.url(path)) as response:
                ok = 200 <= response.status < 400
                return Answer(ok=ok, detail=f"{path} says {response.status}"), response.status
        except TimeoutError:
            silent = f"{path}: no answer within {seconds:g} s"
            return Answer(ok=False, detail=silent, heard=False), 0
        except (OSError, aiohttp.ClientError) as error:
            return _failed(error, f"{path}: "), 0


async def connects(socket: TcpSocket, target: Target) -> Answer:
    """Open a TCP connection and close it."""
    port = actual_port(socket.port, target.port)
    try:
        _, writer = await asyncio.open_connection(socket.host or target.host, port)
    except ConnectionRefusedError:
        return _unheard(port)
    writer.close()
    return Answer(ok=True)


def actual_port(named: int | str, port: int) -> int:
    """Return the port that a probe means: 8080 and `http` are the engine's, whichever it has.

    Raises ValueError for what is neither a number nor a name that is known of an engine.
    """
    text = str(named)
    if text in PORT_NAMES:
        return port
    if not text.isdecimal() or len(text) > len("65535") or not 0 < int(text) <= 65535:
        raise ValueError(f"port {text[:64]} is neither a number from 1 to 65535 nor http")
    return int(text)


def _found(listing: object, target: Target) -> tuple[Answer, str]:
    entries = listing.get("data") if isinstance(listing, dict) else None
    if not isinstance(entries, list):
        return Answer(ok=False, detail="/v1/models: not a list of models"), ""
    ids = [str(entry.get("id")) for entry in entries if isinstance(entry, dict)]
    for name in target.accepted_names:
        if name in ids:
            return Answer(ok=True), name
    listed = ", ".join(ids) or "no model"
    detail = f"/v1/models lists {listed}, not {target.model}"
    return Answer(ok=False, detail=detail, refused=bool(ids)), ""


def _unheard(port: int | None) -> Answer:
    detail = f"nothing listens at its port, {port}"
    return Answer(ok=False, detail=detail, listens=False, heard=False)


def _failed(error: Exception, asked: str = "") -> Answer:
    """Say what became of a question in words for a user, not in those of the HTTP client."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return _unheard(error.port)
    if isinstance(error, aiohttp.ClientConnectionError | ConnectionError):
        return Answer(ok=False, detail=f"{asked}the connection broke off", heard=False)
    return Answer(ok=False, detail=f"{asked}{str(error) or type(error).__name__}")
