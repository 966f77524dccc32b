"""Keys of AWS for a token of Kubernetes."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from llmaz.agent.cache.remote import Refused
from llmaz.agent.cache.sources.identity import RENEWED_SECONDS, WebIdentity
from support.origins import serving_routes

TOKEN = "a-token-that-shows-nowhere"


@dataclass
class TokenService:
    """Gives keys away for one token, others each time."""

    status: int = 200
    asked: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        keys = (
            f"<AccessKeyId>key-{len(self.asked)}</AccessKeyId>"
            "<SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken>"
        )
        text = (
            '<R xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Result><Credentials>'
            f"{keys}</Credentials></Result></R>"
        )
        return web.Response(status=self.status, text=text, content_type="text/xml")


def _environ(tmp_path: Path, url: str) -> dict[str, str]:
    (tmp_path / "token").write_text(TOKEN)
    return {
        "AWS_ROLE_ARN": "arn:aws:iam::1:role/models",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_ENDPOINT_URL_STS": url,
    }


async def test_keys_are_kept_for_half_their_time_and_then_renewed(tmp_path: Path) -> None:
    service, now = TokenService(), [0.0]
    async with serving_routes([web.get("/", service.answer)]) as url:
        identity = WebIdentity.of(_environ(tmp_path, url), "eu-west-1")
        assert identity is not None
        identity.clock = lambda: now[0]
        first = await asyncio.to_thread(identity.keys)
        assert await asyncio.to_thread(identity.keys) is first
        now[0] = RENEWED_SECONDS
        second = await asyncio.to_thread(identity.keys)
    assert (first.key_id, first.session_token, second.key_id) == ("key-1", "session", "key-2")
    assert service.asked[0]["WebIdentityToken"] == TOKEN


async def test_a_refusal_names_the_role_and_not_the_token(tmp_path: Path) -> None:
    service = TokenService(status=403)
    async with serving_routes([web.get("/", service.answer)]) as url:
        identity = WebIdentity.of(_environ(tmp_path, url), "eu-west-1")
        assert identity is not None
        with pytest.raises(Refused, match="role/models") as refused:
            await asyncio.to_thread(identity.keys)
    assert TOKEN not in str(refused.value)


def test_without_a_role_there_is_no_identity() -> None:
    assert WebIdentity.of({"AWS_ROLE_ARN": "x"}, "eu-west-1") is None
