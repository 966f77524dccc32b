"""An engine that streams tokens without computing: `engine.py PORT TOKENS SECONDS`.

On one event loop: the tests' fake engine, a thread for each request, would itself be what waits.
"""

import asyncio
import json
import sys

from aiohttp import web


async def serve(port: int, tokens: int, token_seconds: float) -> None:
    async def healthy(_: web.Request) -> web.StreamResponse:
        return web.Response()

    async def complete(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if not asked.get("stream"):
            choice = {"index": 0, "text": "Hello", "finish_reason": "stop"}
            return web.json_response({"id": "1", "object": "text_completion", "choices": [choice]})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(tokens):
            await asyncio.sleep(token_seconds)
            event = {"id": "1", "choices": [{"index": 0, "text": f"t{number} "}]}
            await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    app = web.Application()
    app.router.add_get("/health", healthy)
    app.router.add_post("/v1/completions", complete)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
