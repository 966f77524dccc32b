"""Work that no request waits for."""

import asyncio

from llmaz.local.apiserver.context import Context


class Background:
    def __init__(self, context: Context) -> None:
        self._context = context

    async def run(self) -> None:
        await asyncio.Event().wait()
