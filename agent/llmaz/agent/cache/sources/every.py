"""Chooses the kind of source for an origin, and loads that kind alone: a fetch begins sooner."""

# ruff: noqa: PLC0415  # imports stand where a kind is chosen, as said above

from collections.abc import Mapping
from typing import assert_never

from llmaz.agent.cache.origin import Bucket, Filesystem, HubRepository, OllamaModel, WebFile
from llmaz.agent.cache.remote import Source
from llmaz.agent.cache.request import FetchRequest
from llmaz.agent.cache.sources.answers import check_way
from llmaz.agent.cache.wire import Wire
from llmaz.api.source import Hub

_HMAC = "AWS_ACCESS_KEY_ID"


def source_of(request: FetchRequest, environ: Mapping[str, str]) -> Source:
    """Return the source of a request; what it needs of the environment is read here."""
    origin, wire = request.origin, Wire()
    match origin:
        case HubRepository():
            return _hub(origin, wire, request, environ)
        case Bucket():
            return _bucket(origin, wire, request, environ)
        case WebFile():
            from llmaz.agent.cache.sources.web import Web

            return Web(origin, wire)
        case OllamaModel():
            from llmaz.agent.cache.sources.ollama import Ollama

            return Ollama(origin, wire)
        case Filesystem():
            from llmaz.agent.cache.sources.filesystem import FilesystemSource

            return FilesystemSource.of(origin, request.credentials, environ)
        case _:
            assert_never(origin)


def _hub(
    origin: HubRepository, wire: Wire, request: FetchRequest, environ: Mapping[str, str]
) -> Source:
    if origin.hub is Hub.HUGGINGFACE:
        from llmaz.agent.cache.sources.huggingface import HuggingFace

        hub = HuggingFace.of(origin, wire, request.credentials, environ)
        check_way(hub.endpoint, request.plain_http, is_secret=bool(hub.token))
        return hub
    from llmaz.agent.cache.sources.modelscope import ModelScope

    scope = ModelScope.of(origin, wire, request.credentials, environ)
    check_way(scope.endpoint, request.plain_http, is_secret=bool(scope.token))
    return scope


def _bucket(
    origin: Bucket, wire: Wire, request: FetchRequest, environ: Mapping[str, str]
) -> Source:
    """Choose how a store is asked; Google's has two ways, by which credentials there are.

    Nearer ones win: a Secret's, then the agent's environment's, then the machine's identity.
    """
    from llmaz.agent.cache.sources.buckets import Buckets
    from llmaz.agent.cache.sources.google_identity import CREDENTIALS, FILE
    from llmaz.agent.cache.sources.identity import maker_of_machine

    given, listed = request.credentials, request.plain_http
    # What proves a right is what was given, and never whose machine this is.
    maker = "" if request.prove else maker_of_machine()
    known = {_HMAC, CREDENTIALS, FILE}
    ways = [where for where in (given, environ) if known & set(where)]
    if origin.scheme != "gs" or (ways and _HMAC in ways[0]):
        return Buckets.of(origin, wire, given, environ, listed=listed, maker=maker)
    return _of_google(origin, wire, request, environ, maker, is_lent=not ways)


def _of_google(
    origin: Bucket,
    wire: Wire,
    request: FetchRequest,
    environ: Mapping[str, str],
    maker: str,
    *,
    is_lent: bool,
) -> Source:
    from llmaz.agent.cache.sources.google import GoogleBucket, endpoint_of_google
    from llmaz.agent.cache.sources.google_identity import identity_of_google

    endpoint = endpoint_of_google(environ)
    identity = identity_of_google(request.credentials, environ, request.plain_http, maker)
    check_way(endpoint, request.plain_http, is_secret=identity is not None)
    return GoogleBucket(origin, wire, endpoint, identity, is_lent=is_lent)
