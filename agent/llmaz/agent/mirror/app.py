"""The endpoint's part in the sharing process."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from llmaz.agent.mirror.assigned import noted_by_agent, why_not_fetched
from llmaz.agent.mirror.counts import ClientCounts
from llmaz.agent.mirror.fetching import Fetching, FetchRules
from llmaz.agent.mirror.files import Files
from llmaz.agent.mirror.hubs import HUGGING_FACE, MODELSCOPE, HubSide
from llmaz.agent.mirror.modelscope import ModelScopeMirror
from llmaz.agent.mirror.peers import ClientPeers
from llmaz.agent.mirror.routes import Mirror
from llmaz.agent.mirror.upstream import Upstream
from llmaz.agent.sharing.context import Context


def add_routes(app: web.Application, context: Context) -> None:
    """Serve the cache as the two hubs do, unless the agent was told not to."""
    settings = context.settings
    policy = settings.mirror_fetch
    if policy == "off":
        return
    noted = noted_by_agent(settings.state_dir)
    rules = FetchRules(
        noted=noted,
        quota=settings.cache_quota,
        plain_http=settings.plain_http,
        peers=ClientPeers(settings, noted),
        counts=ClientCounts(context.registry),
    )

    def why_not(home: tuple[str, str], remote: str | None) -> str | None:
        return why_not_fetched(policy, home, remote, noted())

    def files(side: HubSide) -> Files:
        plain_http = settings.plain_http
        upstream = Upstream(context.cache_dir, context.environ, side=side, plain_http=plain_http)
        fetching = None
        if policy != "none":
            fetching = Fetching(context.cache_dir, upstream.environ, rules)
            app.on_cleanup.append(_ending(fetching))
        return Files(context.cache_dir, upstream, fetching, why_not)

    app.add_routes(ModelScopeMirror(files(MODELSCOPE)).routes())
    app.add_routes(Mirror(files(HUGGING_FACE)).routes())


def _ending(fetching: Fetching) -> Callable[[web.Application], Awaitable[None]]:
    async def end(_: web.Application) -> None:
        await fetching.aclose()

    return end
