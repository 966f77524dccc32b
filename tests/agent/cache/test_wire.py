"""Where redirects may lead, and what goes along."""

import asyncio
import ipaddress
from contextlib import closing

import pytest
from aiohttp import web

from llmaz.agent.cache.failures import explained
from llmaz.agent.cache.remote import Target
from llmaz.agent.cache.wire import (
    LARGEST_TEXT,
    Forbidden,
    NetworkError,
    TooLong,
    Wire,
    may_lead,
    refuse_link,
)
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


@pytest.mark.parametrize(
    ("here", "there", "may"),
    [
        ("8.8.8.8", "1.1.1.1", True),
        ("8.8.8.8", "10.0.0.1", False),
        ("8.8.8.8", "127.0.0.1", False),
        ("2606:4700::1", "::1", False),
        ("2606:4700::1", "fd00::1", False),
        ("10.0.0.1", "10.0.0.2", True),
        ("10.0.0.1", "8.8.8.8", True),
        ("127.0.0.1", "127.0.0.1", True),
    ],
)
def test_from_the_internet_no_redirect_leads_inside(here: str, there: str, may: bool) -> None:
    assert may_lead(ipaddress.ip_address(here), ipaddress.ip_address(there)) is may


@pytest.mark.parametrize(
    "host",
    [
        *("169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "fd00:ec2::254", "fd00:ec2::23"),
        *("fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    ],
)
def test_where_clouds_keep_credentials_no_weights_come_from(host: str) -> None:
    with pytest.raises(Forbidden, match="credentials"):
        refuse_link(host)


@pytest.mark.parametrize("host", ["8.8.8.8", "10.0.0.1", "100.64.0.1", "::1", "fd00::1", "a.name"])
def test_weights_may_come_from_anywhere_else(host: str) -> None:
    refuse_link(host)


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
