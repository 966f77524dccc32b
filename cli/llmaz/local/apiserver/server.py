"""One running server: files of the data directory, store, background work and socket."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from llmaz.local.apiserver.app import Api, application
from llmaz.local.apiserver.auth import token_of, write_secret
from llmaz.local.apiserver.background import Background
from llmaz.local.apiserver.bootstrap import bootstrap
from llmaz.local.apiserver.builtin import builtin_resources
from llmaz.local.apiserver.certificates import certified, utc_now
from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.database import Database
from llmaz.local.apiserver.documents import OpenApi
from llmaz.local.apiserver.kubeconfig import kubeconfig
from llmaz.local.apiserver.metrics import Metrics
from llmaz.local.apiserver.registry import Registry
from llmaz.local.apiserver.settings import Settings
from llmaz.local.apiserver.store import Store

logger = logging.getLogger(__name__)


class ListenError(Exception):
    """The address can't be listened on; the message is for the user."""


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[str]:
    """Run the server inside the `with` block and yield its URL."""
    os.umask(0o077)
    store = Store(Database(settings.data_dir))
    writer = asyncio.create_task(store.run())
    context = Context(store=store, registry=Registry(builtin_resources(store)))
    background = Background(context)
    stopping = asyncio.Event()
    try:
        await bootstrap(context)
        token = token_of(settings.data_dir)
        api = Api(context, token, Metrics(store), OpenApi(context.registry), stopping)
        worker = asyncio.create_task(background.run())
        async with _listening(settings, api) as url:
            authority = (settings.data_dir / "ca.crt").read_bytes()
            write_secret(settings.data_dir / "kubeconfig", kubeconfig(url, authority, token))
            yield url
            stopping.set()
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    finally:
        store.stop()
        await writer


@asynccontextmanager
async def _listening(settings: Settings, api: Api) -> AsyncIterator[str]:
    tls = certified(settings.data_dir, settings.host, utc_now())
    runner = web.AppRunner(
        application(api.answer),
        handle_signals=False,
        handler_cancellation=True,  # a watch ends with its client, also when nothing happens
        shutdown_timeout=1.0,
        access_log=None,
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.host, settings.port, ssl_context=tls).start()
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise ListenError(
                f"cannot listen on {where}: {os.strerror(error.errno or 0)}"
            ) from None
        port = runner.addresses[0][1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        yield f"https://{host}:{port}"
    finally:
        api.stopping.set()
        await runner.cleanup()
