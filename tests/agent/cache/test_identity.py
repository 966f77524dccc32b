"""Keys of AWS by the identity of a node, a pod or a service account."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from llmaz.agent.cache.remote import Refused
from llmaz.agent.cache.sources.identity import (
    RENEWED_SECONDS,
    Identity,
    Lent,
    identity_of_aws,
    maker_of_machine,
)
from llmaz.agent.cache.sources.signing import Keys
from support.origins import serving_routes

TOKEN = "a-token-that-shows-nowhere"


@dataclass
class Services:
    """AWS' three ways to give keys away: each for its own proof, others each time."""

    status: int = 200
    valid: timedelta = timedelta(hours=6)
    role: str = "models"
    asked: list[dict[str, str]] = field(default_factory=list)

    def routes(self) -> list[web.RouteDef]:
        roles = "/latest/meta-data/iam/security-credentials/"
        return [
            web.post("/", self._token_service),
            web.get("/v1/credentials", self._container),
            web.put("/latest/api/token", self._session),
            web.get(roles, self._role),
            web.get(f"{roles}models", self._machine),
        ]

    async def _token_service(self, request: web.Request) -> web.Response:
        assert not request.query_string  # a token in an address is in the logs of every proxy
        self.asked.append({str(key): str(value) for key, value in (await request.post()).items()})
        keys = (
            f"<AccessKeyId>key-{len(self.asked)}</AccessKeyId>"
            "<SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken>"
            f"<Expiration>{self._end()}</Expiration>"
        )
        text = (
            '<R xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Result><Credentials>'
            f"{keys}</Credentials></Result></R>"
        )
        return web.Response(status=self.status, text=text, content_type="text/xml")

    async def _container(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != TOKEN:
            return web.Response(status=401)
        return self._keys()

    async def _session(self, request: web.Request) -> web.Response:
        if self.status != 200 or "X-aws-ec2-metadata-token-ttl-seconds" not in request.headers:
            return web.Response(status=403)
        return web.Response(text="a-session")

    async def _role(self, request: web.Request) -> web.Response:
        if request.headers.get("X-aws-ec2-metadata-token") != "a-session":
            return web.Response(status=401)
        return web.Response(text=self.role) if self.role else web.Response(status=404)

    async def _machine(self, request: web.Request) -> web.Response:
        if request.headers.get("X-aws-ec2-metadata-token") != "a-session":
            return web.Response(status=401)
        return self._keys()

    def _keys(self) -> web.Response:
        self.asked.append({})
        said = {
            "Code": "Success",
            "AccessKeyId": f"key-{len(self.asked)}",
            "SecretAccessKey": "secret",
            "Token": "session",
            "Expiration": self._end(),
        }
        return web.json_response(said)

    def _end(self) -> str:
        return (datetime.now(UTC) + self.valid).strftime("%Y-%m-%dT%H:%M:%SZ")


def _environ(way: str, url: str, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "token").write_text(TOKEN)
    match way:
        case "role":
            return {
                "AWS_ROLE_ARN": "arn:aws:iam::1:role/models",
                "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
                "AWS_ENDPOINT_URL_STS": url,
            }
        case "pod":
            return {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/v1/credentials",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
            }
        case _:
            return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url}


def _identity(environ: dict[str, str], maker: str = "") -> Identity[Keys]:
    identity = identity_of_aws(environ, "eu-west-1", (), maker)
    assert identity is not None
    return identity


@pytest.mark.parametrize("way", ["role", "pod", "machine"])
async def test_each_way_of_aws_gives_keys_that_are_renewed(way: str, tmp_path: Path) -> None:
    services, now = Services(), [0.0]
    async with serving_routes(services.routes()) as url:
        identity = _identity(_environ(way, url, tmp_path))
        identity.clock = lambda: now[0]
        first = await asyncio.to_thread(identity.now)
        assert await asyncio.to_thread(identity.now) is first
        now[0] = RENEWED_SECONDS
        second = await asyncio.to_thread(identity.now)
    assert first == Keys(key_id="key-1", secret="secret", session_token="session")
    assert second is not None
    assert second.key_id == "key-2"
    assert TOKEN not in repr(identity)
    if way == "role":
        assert services.asked[0]["WebIdentityToken"] == TOKEN


def test_keys_that_end_soon_are_renewed_before_that() -> None:
    lent: Iterator[Lent[str]] = iter([Lent("a", 600.0), Lent("b", 60.0), Lent("c", 60.0)])
    now = [0.0]
    identity = Identity(lambda: next(lent), clock=lambda: now[0])
    assert identity.now() == "a"
    now[0] = 359.0
    assert identity.now() == "a"
    now[0] = 361.0
    assert (identity.now(), identity.now()) == ("b", "c")


async def test_a_refusal_names_the_role_and_not_the_token(tmp_path: Path) -> None:
    services = Services(status=403)
    async with serving_routes(services.routes()) as url:
        identity = _identity(_environ("role", url, tmp_path))
        with pytest.raises(Refused, match="role/models") as refused:
            await asyncio.to_thread(identity.now)
    assert TOKEN not in str(refused.value)


async def test_a_machine_without_a_role_has_no_identity(tmp_path: Path) -> None:
    async with serving_routes(Services(role="").routes()) as url:
        assert await asyncio.to_thread(_identity(_environ("", url, tmp_path)).now) is None
    async with serving_routes(Services(status=403).routes()) as url:
        assert await asyncio.to_thread(_identity(_environ("", url, tmp_path)).now) is None
    assert _identity(_environ("", url, tmp_path)).now() is None  # nobody answers there any more


def test_without_a_role_there_is_no_identity() -> None:
    assert identity_of_aws({"AWS_ROLE_ARN": "x"}, "eu-west-1", (), "QEMU") is None


def test_a_machine_of_amazon_is_asked_unless_that_is_forbidden() -> None:
    forbidden = {"AWS_EC2_METADATA_DISABLED": "TRUE"}
    assert identity_of_aws({}, "eu-west-1", (), "Amazon EC2") is not None
    assert identity_of_aws(forbidden, "eu-west-1", (), "Amazon EC2") is None


@pytest.mark.parametrize(
    "service", ["http://sts.example", "http://10.0.0.7:8080", "http://169.254.1.1"]
)
def test_a_token_is_given_to_no_service_without_tls(service: str, tmp_path: Path) -> None:
    environ = _environ("role", service, tmp_path)
    with pytest.raises(Refused, match="--plain-http"):
        identity_of_aws(environ, "eu-west-1", (), "")
    assert identity_of_aws(environ, "eu-west-1", (service.partition("://")[2],), "") is not None


def test_keys_of_a_container_are_asked_for_at_known_places_alone(tmp_path: Path) -> None:
    environ = _environ("pod", "http://169.254.169.253", tmp_path)
    with pytest.raises(Refused, match=r"169\.254\.169\.253"):
        identity_of_aws(environ, "eu-west-1", (), "")
    for known in ("http://169.254.170.23", "http://[fd00:ec2::23]", "https://keys.example"):
        assert identity_of_aws(_environ("pod", known, tmp_path), "eu-west-1", (), "") is not None


def test_the_maker_of_a_machine_is_what_its_firmware_says(tmp_path: Path) -> None:
    (tmp_path / "sys_vendor").write_text("Amazon EC2\n")
    assert maker_of_machine(tmp_path / "sys_vendor") == "Amazon EC2"
    assert maker_of_machine(tmp_path / "none") == ""
