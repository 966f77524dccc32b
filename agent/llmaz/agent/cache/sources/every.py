"""Chooses the kind of source for an origin."""

from collections.abc import Mapping
from typing import assert_never

from llmaz.agent.cache.origin import Bucket, Filesystem, HubRepository, OllamaModel, WebFile
from llmaz.agent.cache.remote import Source
from llmaz.agent.cache.request import FetchRequest
from llmaz.agent.cache.sources.answers import check_way
from llmaz.agent.cache.sources.buckets import Buckets
from llmaz.agent.cache.sources.filesystem import FilesystemSource
from llmaz.agent.cache.sources.huggingface import HuggingFace
from llmaz.agent.cache.sources.modelscope import ModelScope
from llmaz.agent.cache.sources.ollama import Ollama
from llmaz.agent.cache.sources.web import Web
from llmaz.agent.cache.wire import Wire
from llmaz.api.source import Hub


def source_of(request: FetchRequest, environ: Mapping[str, str]) -> Source:
    """Return the source of a request; what it needs of the environment is read here."""
    origin, given, wire = request.origin, request.credentials, Wire()
    match origin:
        case HubRepository(hub=Hub.HUGGINGFACE):
            hub = HuggingFace.of(origin, wire, given, environ)
            check_way(hub.endpoint, hub.token, request.plain_http)
            return hub
        case HubRepository():
            scope = ModelScope.of(origin, wire, given, environ)
            check_way(scope.endpoint, scope.token, request.plain_http)
            return scope
        case Bucket():
            store = Buckets.of(origin, wire, given, environ)
            session = store.keys.session_token if store.keys else None  # a signature tells no key
            check_way(store.endpoint or "", session, request.plain_http)
            return store
        case WebFile():
            return Web(origin, wire)
        case OllamaModel():
            return Ollama(origin, wire)
        case Filesystem():
            return FilesystemSource.of(origin, given, environ)
        case _:
            assert_never(origin)
