"""Where redirects may lead, and what goes along."""

import asyncio
from contextlib import closing

import pytest
from aiohttp import web

from llmaz.agent.cache.destinations import Forbidden
from llmaz.agent.cache.failures import explained
from llmaz.agent.cache.remote import Target
from llmaz.agent.cache.wire import LARGEST_TEXT, NetworkError, TooLong, Wire
from support.origins import serving_routes


def _asked(url: str) -> int:
    with closing(Wire()) as wire:
        answer, _ = wire.text(Target(url=url, headers={"Authorization": "Bearer secret"}))
        return answer.status


async def _redirected(location: str) -> int:
    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location})

    async def here(request: web.Request) -> web.Response:
        return web.Response(status=200 if "Authorization" in request.headers else 401)

    async with serving_routes([web.get("/a", redirect), web.get("/here", here)]) as url:
        return await asyncio.to_thread(_asked, f"{url}/a")


async def test_a_redirect_within_the_origin_keeps_the_token() -> None:
    assert await _redirected("/here") == 200


@pytest.mark.parametrize("location", ["/a", "file:///etc/passwd", "ftp://host/x"])
async def test_a_redirect_in_a_circle_or_out_of_the_web_is_refused(location: str) -> None:
    with pytest.raises(Forbidden) as refused:
        await _redirected(location)
    assert "secret" not in str(refused.value)


async def test_a_place_where_nobody_listens_is_a_passing_error() -> None:
    async with serving_routes([]) as url:
        pass
    with pytest.raises(NetworkError, match=r"127\.0\.0\.1 can't be reached"):
        await asyncio.to_thread(_asked, url)


async def test_a_listing_without_an_end_is_left_off() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(LARGEST_TEXT // 2**20 + 8):
            await response.write(bytes(2**20))
        return response

    async with serving_routes([web.get("/a", endless)]) as url:
        with pytest.raises(TooLong) as refused:
            await asyncio.to_thread(_asked, f"{url}/a")
    assert explained(refused.value, "acme/tiny").reason == "ListingTooLong"


async def test_what_tells_a_secret_follows_no_redirect() -> None:
    asked: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {(await request.text()) or None}")
        return web.Response(status=307, headers={"Location": "/b"})

    def posted(url: str, near: bool) -> int:
        with closing(Wire(near=near)) as wire:
            form = {} if near else {"token": "secret"}
            return wire.text(Target(url=url, form=form))[0].status

    async with serving_routes([web.post("/a", redirect), web.get("/a", redirect)]) as url:
        assert await asyncio.to_thread(posted, f"{url}/a", False) == 307
        assert await asyncio.to_thread(posted, f"{url}/a", True) == 307
    assert asked == ["POST token=secret", "GET None"]
