"""The web application of the sharing process: a module for each concern adds its own routes."""

from aiohttp import web

from llmaz.agent.jit.serving import add_routes as add_jit
from llmaz.agent.mirror.app import add_routes as add_mirror
from llmaz.agent.sharing.context import Context
from llmaz.agent.sharing.peers import add_routes as add_peers

_CONCERNS = (add_peers, add_jit, add_mirror)  # the mirror last: its files may have any path


def application(context: Context) -> web.Application:
    """Return everything that the process answers to."""
    app = web.Application()
    for add_routes in _CONCERNS:
        add_routes(app, context)
    return app
