"""Chooses the kind of place for an origin, and where in the cache its tree is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from llmaz.agent.cache.origin import Bucket, HubRepository, OllamaModel, WebFile, name_of
from llmaz.agent.cache.remote import Source
from llmaz.agent.cache.request import FetchRequest
from llmaz.agent.cache.sources.buckets import Buckets
from llmaz.agent.cache.sources.huggingface import HuggingFace
from llmaz.agent.cache.sources.modelscope import ModelScope
from llmaz.agent.cache.sources.ollama import Ollama
from llmaz.agent.cache.sources.web import Web
from llmaz.agent.cache.wire import Wire
from llmaz.api.source import Hub


@dataclass(frozen=True)
class Place:
    """A source, and the family and repository under which its tree is kept."""

    source: Source
    family: str
    repository: str


def place_of(request: FetchRequest, environ: Mapping[str, str]) -> Place:
    """Return the place of a request; what it needs of the environment is read here."""
    origin, given, wire = request.origin, request.credentials, Wire()
    match origin:
        case HubRepository(hub=Hub.HUGGINGFACE, repository=name):
            return Place(HuggingFace.of(origin, wire, given, environ), "hub", name)
        case HubRepository(repository=name):
            return Place(ModelScope.of(origin, wire, given, environ), "modelscope", name)
        case Bucket(scheme=scheme, bucket=bucket, key=key):
            return Place(Buckets.of(origin, wire, given, environ), scheme, f"{bucket}/{key}")
        case WebFile():
            return Place(Web(origin, wire), "web", name_of(origin).partition("://")[2])
        case OllamaModel(repository=name):
            return Place(Ollama(origin, wire), "ollama", f"{name}/{origin.tag}")
        case _:
            assert_never(origin)
