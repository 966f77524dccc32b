"""The endpoint's part in the sharing process."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import Counter

from llmaz.agent.mirror.assigned import noted_by_agent, why_not_fetched
from llmaz.agent.mirror.fetching import Fetching
from llmaz.agent.mirror.files import Files
from llmaz.agent.mirror.hubs import HUGGING_FACE, MODELSCOPE, HubSide
from llmaz.agent.mirror.modelscope import ModelScopeMirror
from llmaz.agent.mirror.routes import Mirror
from llmaz.agent.mirror.upstream import Upstream
from llmaz.agent.sharing.context import Context


def add_routes(app: web.Application, context: Context) -> None:
    """Serve the cache as the two hubs do, unless the agent was told not to."""
    policy = context.settings.mirror_fetch
    if policy == "off":
        return
    models = noted_by_agent(context.settings.state_dir)
    evictions = Counter(
        "llmaz_cache_client_evictions",
        "Snapshots that made room for what clients of the node's endpoint asked for.",
        registry=context.registry,
    )

    def why_not(home: tuple[str, str], remote: str | None) -> str | None:
        return why_not_fetched(policy, home, remote, models())

    def files(side: HubSide) -> Files:
        plain_http = context.settings.plain_http
        upstream = Upstream(context.cache_dir, context.environ, side=side, plain_http=plain_http)
        fetching = None
        if policy != "none":
            quota = context.settings.cache_quota
            fetching = Fetching(
                context.cache_dir, upstream.environ, quota, models, plain_http, evictions.inc
            )
            app.on_cleanup.append(_ending(fetching))
        return Files(context.cache_dir, upstream, fetching, why_not)

    app.add_routes(ModelScopeMirror(files(MODELSCOPE)).routes())
    app.add_routes(Mirror(files(HUGGING_FACE)).routes())


def _ending(fetching: Fetching) -> Callable[[web.Application], Awaitable[None]]:
    async def end(_: web.Application) -> None:
        await fetching.aclose()

    return end
