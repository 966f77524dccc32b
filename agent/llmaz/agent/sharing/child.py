"""Keeps the sharing process running, and remembers what it tells."""

import asyncio
import logging
import random
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from llmaz.agent.sharing.said import Listening, Measured, read_said
from llmaz.agent.sharing.settings import SharingSettings, hub_url, to_argv
from llmaz.daemon.backoff import delay

logger = logging.getLogger(__name__)

PROGRAM = (sys.executable, "-m", "llmaz.agent.sharing")
_LINE_LIMIT = 16 * 2**20


class SharingChild(Collector):
    """The sharing process of one agent. Its metrics are those that it told of last."""

    def __init__(
        self,
        settings: SharingSettings,
        *,
        address: str,
        environ: Mapping[str, str],
        changed: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._address = address
        self._environ = dict(environ)
        self._changed = changed
        self._families: tuple[Metric, ...] = ()
        self._failures = 0
        self.url = ""  # where it answers; empty while it does not
        self.hub_url = ""  # its Hugging Face endpoint, for engines of the node

    def describe(self) -> list[Metric]:
        """Name nothing ahead: what there is, the process tells."""
        return []

    def collect(self) -> Iterable[Metric]:
        return self._families

    async def run(self) -> None:
        """Start the process, and again whenever it ends."""
        while True:
            try:
                await self._once()
            except OSError as error:
                logger.warning("the sharing process can't be started: %s", error)
            self._know("")
            self.hub_url = ""
            self._failures += 1
            await asyncio.sleep(delay(self._failures, jitter=random.random()))  # noqa: S311  # no secret

    async def _once(self) -> None:
        child = await asyncio.create_subprocess_exec(
            *PROGRAM,
            *to_argv(self._settings),
            env=self._environ,
            stdin=asyncio.subprocess.PIPE,  # its lifeline
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
        )
        try:
            await self._listen(child)
            logger.warning("the sharing process ended with code %s", await child.wait())
        except ValueError as error:
            logger.warning("the sharing process is started again: %s", error)
        finally:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    async def _listen(self, child: asyncio.subprocess.Process) -> None:
        if child.stdout is None:
            raise OSError("the sharing process has no pipes")
        while line := await child.stdout.readline():
            match read_said(line):
                case Listening(port=port):
                    scheme = "https" if self._settings.tls is not None else "http"
                    self._know(f"{scheme}://{self._address}:{port}")
                    self.hub_url = hub_url(self._settings, port)
                case Measured(families=families):
                    self._failures = 0
                    self._families = families

    def _know(self, url: str) -> None:
        if url != self.url:
            self.url = url
            self._changed()
