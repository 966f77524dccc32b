"""The endpoint's part in the sharing process."""

from aiohttp import web

from llmaz.agent.mirror.assigned import noted_by_agent, why_not_fetched
from llmaz.agent.mirror.fetching import Fetching
from llmaz.agent.mirror.routes import Mirror
from llmaz.agent.mirror.upstream import Upstream
from llmaz.agent.sharing.context import Context


def add_routes(app: web.Application, context: Context) -> None:
    """Serve the cache as a Hugging Face hub does, unless the agent was told not to."""
    policy = context.settings.mirror_fetch
    if policy == "off":
        return
    upstream = Upstream(context.cache_dir, context.environ)
    fetching = None
    models = noted_by_agent(context.settings.state_dir)
    if policy != "none":
        fetching = Fetching(
            context.cache_dir, upstream.environ, context.settings.cache_quota, models
        )
        ending = fetching

        async def end(_: web.Application) -> None:
            await ending.aclose()

        app.on_cleanup.append(end)

    def why_not(repository: str, remote: str | None) -> str | None:
        return why_not_fetched(policy, repository, remote, models())

    app.add_routes(Mirror(context.cache_dir, upstream, fetching, why_not).routes())
