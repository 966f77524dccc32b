"""Chooses the kind of source for an origin."""

from collections.abc import Mapping
from typing import assert_never

from llmaz.agent.cache.origin import Bucket, Filesystem, HubRepository, OllamaModel, WebFile
from llmaz.agent.cache.remote import Source
from llmaz.agent.cache.request import FetchRequest
from llmaz.agent.cache.sources.answers import check_way
from llmaz.agent.cache.sources.buckets import Buckets
from llmaz.agent.cache.sources.filesystem import FilesystemSource
from llmaz.agent.cache.sources.google import GoogleBucket, endpoint_of_google
from llmaz.agent.cache.sources.google_identity import CREDENTIALS, FILE, identity_of_google
from llmaz.agent.cache.sources.huggingface import HuggingFace
from llmaz.agent.cache.sources.identity import maker_of_machine
from llmaz.agent.cache.sources.modelscope import ModelScope
from llmaz.agent.cache.sources.ollama import Ollama
from llmaz.agent.cache.sources.web import Web
from llmaz.agent.cache.wire import Wire
from llmaz.api.source import Hub

_HMAC, _GOOGLES = "AWS_ACCESS_KEY_ID", (CREDENTIALS, FILE)


def source_of(request: FetchRequest, environ: Mapping[str, str]) -> Source:
    """Return the source of a request; what it needs of the environment is read here."""
    origin, given, wire = request.origin, request.credentials, Wire()
    match origin:
        case HubRepository(hub=Hub.HUGGINGFACE):
            hub = HuggingFace.of(origin, wire, given, environ)
            check_way(hub.endpoint, request.plain_http, is_secret=bool(hub.token))
            return hub
        case HubRepository():
            scope = ModelScope.of(origin, wire, given, environ)
            check_way(scope.endpoint, request.plain_http, is_secret=bool(scope.token))
            return scope
        case Bucket():
            return _bucket(origin, wire, request, environ)
        case WebFile():
            return Web(origin, wire)
        case OllamaModel():
            return Ollama(origin, wire)
        case Filesystem():
            return FilesystemSource.of(origin, given, environ)
        case _:
            assert_never(origin)


def _bucket(
    origin: Bucket, wire: Wire, request: FetchRequest, environ: Mapping[str, str]
) -> Source:
    """Choose how a store is asked; Google's has two ways, by which credentials there are.

    Nearer ones win: a Secret's, then the agent's environment's, then the machine's identity.
    """
    given, listed = request.credentials, request.plain_http
    # What proves a right is what was given, and never whose machine this is.
    maker = "" if request.prove else maker_of_machine()
    ways = [where for where in (given, environ) if _HMAC in where or set(_GOOGLES) & set(where)]
    if origin.scheme != "gs" or (ways and _HMAC in ways[0]):
        return Buckets.of(origin, wire, given, environ, listed=listed, maker=maker)
    endpoint = endpoint_of_google(environ)
    identity = identity_of_google(given, environ, listed, maker)
    check_way(endpoint, listed, is_secret=identity is not None)
    return GoogleBucket(origin, wire, endpoint, identity, is_lent=not ways)
