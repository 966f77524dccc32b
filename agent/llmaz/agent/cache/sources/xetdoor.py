"""Asks a Hugging Face hub where a repository's chunks are in Xet, and for a token to read them.

The hub's own token goes to the hub alone. What comes back opens the chunks of one repository at one
commit, for some minutes. The store's address is judged as a redirect of the hub's would be.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from llmaz.agent.cache.remote import Source, Target
from llmaz.agent.cache.sources.answers import check_way, refusal
from llmaz.agent.cache.sources.huggingface import HuggingFace
from llmaz.agent.cache.wire import CutError, Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A store of chunks that is open for a while; `expires` is in seconds since 1970."""

    endpoint: str
    token: str = field(repr=False)
    expires: int


def door_of(hub: HuggingFace, commit: str, plain_http: tuple[str, ...]) -> Door:
    """Return the door, or raise what a source raises."""
    where = f"{hub.endpoint}/api/models/{quote(hub.origin.repository)}/xet-read-token/{commit}"
    wire = Wire()
    try:
        answer, _ = wire.text(Target(url=where, headers=hub.headers()))
        if answer.status != 200:
            raise refusal(answer.status, hub.origin.repository)
        said = answer.headers
        endpoint, token = said.get("X-Xet-Cas-Url"), said.get("X-Xet-Access-Token")
        expires = said.get("X-Xet-Token-Expiration") or ""
        if not endpoint or not token or not expires.isdecimal():
            raise CutError("the hub says nothing of where its chunks are")
        wire.check_way(answer.url, endpoint)
    finally:
        wire.close()
    check_way(endpoint, plain_http, is_secret=True)
    return Door(endpoint=endpoint, token=token, expires=int(expires))


def opener(source: Source, commit: str, plain_http: tuple[str, ...]) -> Callable[[], Door]:
    """Return what asks for the door each time; only Hugging Face has one."""

    def opened() -> Door:
        if not isinstance(source, HuggingFace):
            raise CutError("this source has no store of chunks")
        return door_of(source, commit, plain_http)

    return opened
