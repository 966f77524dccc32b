"""What Hugging Face's clients ask of the endpoint, and how its hub would answer."""

import json
from urllib.parse import parse_qs

from aiohttp import web

from llmaz.agent.cache.remote import Listing, Refused
from llmaz.agent.mirror import answers
from llmaz.agent.mirror.files import Files, token_of
from llmaz.agent.mirror.paths import DEFAULT_REVISION, Asked, asked_of

_MOST_PATHS = 2**20  # bytes of a body that lists paths


class Mirror:
    """One node's endpoint for clients of Hugging Face."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/whoami-v2", self._whoami),
            web.get("/api/models/{rest:.+}", self._api),
            web.post("/api/models/{rest:.+}", self._api),
            web.get("/{rest:.+}", self._resolve),
        ]

    async def _whoami(self, _: web.Request) -> web.StreamResponse:
        return _error(401, "", "this endpoint knows no users: it passes tokens on to the hub")

    async def _api(self, request: web.Request) -> web.StreamResponse:
        asked = _asked(request)
        if asked is None or asked.what == "resolve":
            return _error(404, "RepoNotFound", "no repository of a hub has this name")
        if (request.method == "POST") != (asked.what == "paths-info"):
            raise web.HTTPMethodNotAllowed(request.method, ["GET"])
        try:
            listing = await self._files.listing(asked.repository, asked.revision, token_of(request))
        except Refused as refused:
            return _refusal(refused, request)
        return await _described(request, asked, listing)

    async def _resolve(self, request: web.Request) -> web.StreamResponse:
        asked = _asked(request)
        if asked is None or asked.what != "resolve" or not asked.path:
            return _error(404, "EntryNotFound", "no file of a hub has this name")
        try:
            return await self._files.answer(request, asked.repository, asked.revision, asked.path)
        except Refused as refused:
            return _refusal(refused, request)


async def _described(request: web.Request, asked: Asked, listing: Listing) -> web.Response:
    commit = {"X-Repo-Commit": listing.commit}
    match asked.what:
        case "refs":
            branch = {"name": DEFAULT_REVISION, "ref": "refs/heads/main", "targetCommit": ""}
            branches = [{**branch, "targetCommit": listing.commit}]
            return web.json_response({"branches": branches, "tags": [], "converts": []})
        case "tree":
            return _tree(request, asked, listing)
        case "paths-info":
            wanted = await _paths(request)
            if wanted is None:
                return _error(400, "", "the body must be a list of paths: {'paths': [...]}")
            return web.json_response(answers.about_paths(listing, wanted), headers=commit)
        case _:
            return web.json_response(answers.describe(asked.repository, listing), headers=commit)


def _tree(request: web.Request, asked: Asked, listing: Listing) -> web.Response:
    recursive = request.query.get("recursive", "").lower() in ("true", "1")
    found = answers.entries(listing, asked.path, recursive=recursive)
    if asked.path and not found:
        return _error(404, "EntryNotFound", f"{asked.repository} has no folder {asked.path}")
    query = request.query
    text, _, following = answers.page(
        found, cursor=query.get("cursor", ""), limit=query.get("limit", "")
    )
    response = web.Response(text=text, content_type="application/json")
    if following is not None:
        url = str(request.url.with_query(None))
        response.headers["Link"] = answers.next_link(url, query.items(), following)
    return response


async def _paths(request: web.Request) -> list[str] | None:
    body = await request.content.read(_MOST_PATHS + 1)
    while not request.content.at_eof() and len(body) <= _MOST_PATHS:
        body += await request.content.read(_MOST_PATHS)
    if len(body) > _MOST_PATHS:
        return None
    if request.content_type == "application/json":
        try:
            said = json.loads(body)
        except ValueError:
            return None
        paths = said.get("paths") if isinstance(said, dict) else None
    else:
        paths = parse_qs(body.decode("utf-8", "replace")).get("paths", [])  # a form
    wanted = [paths] if isinstance(paths, str) else paths
    if not isinstance(wanted, list) or not all(isinstance(path, str) for path in wanted):
        return None
    return wanted


def _asked(request: web.Request) -> Asked | None:
    return asked_of(request.rel_url.raw_path)


def _refusal(refused: Refused, request: web.Request) -> web.Response:
    has_token = token_of(request) is not None
    status, code = answers.status_of(refused, has_token=has_token)
    return _error(status, code, refused.failure.message)


def _error(status: int, code: str, message: str) -> web.Response:
    line = " ".join(message.split())
    headers = {"X-Error-Message": line.encode("ascii", "replace").decode()[:500]}
    if code:
        headers["X-Error-Code"] = code
    return web.json_response({"error": line}, status=status, headers=headers)
