"""What clients and hubs that mean harm get out of the endpoint."""

import asyncio
import io
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from support.downloads import Downloads, Redirect
from support.hub import COMMIT, Repository, serving
from support.mirrors import asking, mirroring

FILES = {"config.json": b"{}"}
CONFIG = f"/acme/tiny/resolve/{COMMIT}/config.json"


async def test_a_token_does_not_follow_a_redirect_to_another_host(tmp_path: Path) -> None:
    async with serving({"acme/tiny": Repository(FILES)}) as other:
        away = Downloads(faults=[Redirect(f"{other.url}{CONFIG}") for _ in range(2)])
        private = Repository(FILES, token="right", downloads=away)
        async with (
            serving({"acme/tiny": private}) as hub,
            asking(tmp_path, hub.url, token="right") as client,
            client.get(CONFIG) as answer,
        ):
            assert (answer.status, await answer.read()) == (200, b"{}")
    assert hub.tokens == {"right"}
    assert other.tokens == {None}


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data", "http://[fd00:ec2::254]/latest"]
)
async def test_a_redirect_to_where_a_cloud_keeps_its_credentials_is_refused(
    tmp_path: Path, target: str
) -> None:
    away = Downloads(faults=[Redirect(target)])
    repository = Repository(FILES, token="right", downloads=away)
    async with (
        serving({"acme/tiny": repository}) as hub,
        asking(tmp_path, hub.url, token="right") as client,
        client.get(CONFIG) as answer,
    ):
        assert answer.status == 403
        assert "the machine's own credentials" in await answer.text()


async def test_a_clients_token_is_told_to_no_hub_without_tls(tmp_path: Path) -> None:
    async with asking(tmp_path, "http://hub.example", token="right") as client:
        for path in (CONFIG, "/api/v1/models/acme/tiny/repo/files"):
            async with client.get(path) as answer:
                assert answer.status == 403
                assert "--plain-http" in await answer.text()


@pytest.mark.parametrize(
    "name", ["FilePath=..%2F..%2Fetc%2Fpasswd", "FilePath=%00", "", "Revision=.."]
)
async def test_a_file_that_no_hub_has_is_not_asked_of_modelscopes_endpoint(
    tmp_path: Path, name: str
) -> None:
    async with (
        asking(tmp_path, "http://127.0.0.1:9") as client,
        client.get(URL(f"/api/v1/models/acme/tiny/repo?{name}", encoded=True)) as answer,
    ):
        assert (answer.status, (await answer.json())["Success"]) == (404, False)


async def test_a_request_with_endless_headers_ends_and_others_are_answered(tmp_path: Path) -> None:
    async with serving({"acme/tiny": Repository(FILES)}) as hub, asking(tmp_path, hub.url) as node:
        async with node.get("/api/whoami-v2", headers={"X-Long": "x" * 100_000}) as refused:
            assert refused.status == 400
        async with node.get("/api/models/acme/tiny") as answer:
            assert answer.status == 200


async def test_a_body_that_lists_too_much_is_refused(tmp_path: Path) -> None:
    where = f"/api/models/acme/tiny/paths-info/{COMMIT}"
    async with serving({"acme/tiny": Repository(FILES)}) as hub, asking(tmp_path, hub.url) as node:
        for body in (b'{"paths": "' + b"x" * 2**20 + b'"}', b'{"paths": [1]}', b"["):
            headers = {"Content-Type": "application/json"}
            async with node.post(where, data=io.BytesIO(body), headers=headers) as answer:
                assert answer.status == 400


async def test_clients_that_never_end_their_requests_keep_none_from_being_answered(
    tmp_path: Path,
) -> None:
    async with (
        serving({"acme/tiny": Repository(FILES)}) as hub,
        mirroring(tmp_path, hub.url) as url,
        aiohttp.ClientSession(url) as client,
    ):
        host, port = url.removeprefix("http://").split(":")
        slow = [await asyncio.open_connection(host, int(port)) for _ in range(200)]
        for _, writer in slow:
            writer.write(b"GET /api/models/acme/tiny HTTP/1.1\r\nX-Slow: ")
            await writer.drain()
        async with client.get("/api/models/acme/tiny") as answer:
            assert answer.status == 200
        for _, writer in slow:
            writer.close()
            await writer.wait_closed()


async def test_the_endpoint_shows_peers_nothing_and_nobody_a_path_of_the_node(
    tmp_path: Path,
) -> None:
    async with asking(tmp_path, "http://127.0.0.1:9", fetches=False) as client:
        for path in (
            f"/v1/blobs/{'a' * 64}",
            "/acme/tiny/resolve/main/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
            "/acme/tiny/resolve/main//etc/passwd",
            "/etc/passwd",
        ):
            async with client.get(path) as answer:
                assert answer.status == 404
                assert str(tmp_path) not in await answer.text()
