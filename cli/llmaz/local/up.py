"""`up`: the parent of the programs, from the first start to the last stop."""

import asyncio
import re
import socket
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from llmaz.kube import Kube
from llmaz.local import ports
from llmaz.local.engines import end_engines
from llmaz.local.home import Home, Running
from llmaz.local.install import install
from llmaz.local.narrate import narrate
from llmaz.local.programs import Addresses, api_server, other_programs
from llmaz.local.supervise import Say, Supervised
from llmaz.local.wait import until

_READY_WITHIN_SECONDS = 120.0


class UpError(Exception):
    """Something did not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpSettings:
    """What one `up` runs on."""

    home: Home
    addresses: Addresses
    node: str
    pid: int
    api_keys: Path | None = None  # of the gateway's clients, one a line


def node_name() -> str:
    """Return this machine's name, as the name of its Node."""
    name = re.sub(r"[^a-z0-9.-]+", "-", socket.gethostname().lower()).strip("-.")
    return name or "localhost"


async def up(settings: UpSettings, say: Say, stop: asyncio.Event) -> None:
    """Run the programs until `stop`, then stop the engines and the programs.

    Raises HomeInUse, PortInUse, UpError and EnginesLeft. Engines are stopped only when `stop` was
    asked for: when something fails they live on, and the next `up` finds them.
    """
    settings.home.create()
    with settings.home.locked(), ports.claimed(settings.addresses) as addresses:
        machine = _Machine(settings, addresses, say)
        try:
            await _first(stop, machine.start())
            if not stop.is_set():
                await _first(stop, machine.tell_the_story())
        finally:
            await machine.stop(and_engines=stop.is_set())


async def _first(stop: asyncio.Event, work: Awaitable[None]) -> None:
    """Do the work until it is done or `stop` is set."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


class _Machine:
    """The programs of one machine."""

    def __init__(self, settings: UpSettings, addresses: Addresses, say: Say) -> None:
        self._home = settings.home
        self._addresses = addresses
        self._say = say
        self._pid = settings.pid
        logs = settings.home.logs
        self._server = Supervised(api_server(settings.home, addresses.api), logs, say)
        self._others = [
            Supervised(program, logs, say)
            for program in other_programs(
                settings.home, addresses, settings.node, settings.api_keys
            )
        ]
        self._running: set[asyncio.Task[None]] = set()

    @property
    def _gateway_url(self) -> str:
        return f"http://{self._addresses.gateway.reached_at}/v1"

    async def start(self) -> None:
        # The certificate is made by the server that we have just started, on this machine.
        connector = aiohttp.TCPConnector(ssl=False)
        async with aiohttp.ClientSession(connector=connector) as session:
            self._run(self._server)
            await self._ready(self._server, session)
            self._link_kubeconfig()
            api_url = f"https://{self._addresses.api.reached_at}"
            self._say(f"API server: {api_url} (kubeconfig {self._home.kubeconfig})")
            for other in self._others:
                self._run(other)
            async with await Kube.connect(self._home.kubeconfig) as kube:
                await install(kube, self._say)
            for other in self._others:
                await self._ready(other, session)
        self._say(f"gateway: {self._gateway_url}")
        self._home.announce(
            Running(
                pid=self._pid,
                api_url=api_url,
                gateway_url=self._gateway_url,
                hub_url=f"http://{self._addresses.sharing.reached_at}",
            )
        )

    async def tell_the_story(self) -> None:
        """Say what happens to the objects, for ever."""
        async with await Kube.connect(self._home.kubeconfig) as kube:
            await narrate(kube, self._gateway_url, self._say)

    async def stop(self, *, and_engines: bool) -> None:
        """Stop everything; the API server last, so that the others can still say what they saw."""
        await asyncio.gather(*(other.stop() for other in reversed(self._others)))
        try:
            if and_engines:
                self._say("stopping the engines")
                await end_engines(self._home, apart=True)
        finally:
            await self._server.stop()
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _run(self, supervised: Supervised) -> None:
        name = supervised.program.name
        self._running.add(asyncio.create_task(supervised.run(), name=name))

    def _link_kubeconfig(self) -> None:
        link = self._home.kubeconfig
        if not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(self._home.server / "kubeconfig")

    async def _ready(self, supervised: Supervised, session: aiohttp.ClientSession) -> None:
        """Wait until a program answers; raise UpError when it ends before, or takes too long."""
        name = supervised.program.name

        async def is_ready() -> bool:
            if supervised.last_end is not None:
                raise UpError(f"{supervised.last_end} (log: {supervised.log})")
            return await _answers(session, supervised.program.readiness)

        try:
            await until(is_ready, within_seconds=_READY_WITHIN_SECONDS)
        except TimeoutError:
            raise UpError(f"the {name} was not ready in time; see {supervised.log}") from None


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, OSError):
        return False
