"""The two hubs that the node speaks as, and what differs between them behind the endpoint."""

from collections.abc import Mapping
from dataclasses import dataclass

from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.sources.answers import check_way
from llmaz.agent.cache.sources.huggingface import HuggingFace
from llmaz.agent.cache.sources.modelscope import TOKEN as MODELSCOPE_TOKEN
from llmaz.agent.cache.sources.modelscope import ModelScope
from llmaz.agent.cache.wire import Wire
from llmaz.api.names import HF_TOKEN
from llmaz.api.source import Hub


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSide:
    """One hub: under which name its trees are kept, and how its client's token is handed on."""

    hub: Hub
    family: str
    token_name: str

    def origin(self, repository: str, revision: str, path: str | None = None) -> HubRepository:
        return HubRepository(hub=self.hub, repository=repository, revision=revision, filename=path)

    def credentials(self, token: str | None) -> Mapping[str, str]:
        return {self.token_name: token} if token else {}

    def source(
        self,
        origin: HubRepository,
        wire: Wire,
        *,
        token: str | None,
        environ: Mapping[str, str],
        plain_http: tuple[str, ...],
    ) -> HuggingFace | ModelScope:
        """Return the hub as the caller may see it; refuse to tell its token in the clear."""
        kind = HuggingFace if self.hub is Hub.HUGGINGFACE else ModelScope
        source = kind.of(origin, wire, self.credentials(token), environ)
        check_way(source.endpoint, plain_http, is_secret=bool(token))
        return source


HUGGING_FACE = HubSide(hub=Hub.HUGGINGFACE, family="hub", token_name=HF_TOKEN)
MODELSCOPE = HubSide(hub=Hub.MODELSCOPE, family="modelscope", token_name=MODELSCOPE_TOKEN)
