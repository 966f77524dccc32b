"""The hub's form of what the endpoint answers: descriptions of repositories, and refusals. Pure."""

import json
from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

from llmaz.agent.cache.remote import Listing, Refused, RemoteFile
from llmaz.api.manifest import Manifest

PAGE = 1000

_CODES = {
    "GatedRepository": (403, "GatedRepo"),
    "RepositoryNotFound": (404, "RepoNotFound"),
    "RevisionNotFound": (404, "RevisionNotFound"),
    "FileNotFound": (404, "EntryNotFound"),
    "RepositoryDisabled": (403, "DisabledRepo"),
    "Unauthorized": (401, "RepoNotFound"),
    "ForbiddenAddress": (403, ""),
    "NoSpace": (507, ""),
    "PlainHttp": (403, ""),
}


def status_of(refused: Refused, *, has_token: bool) -> tuple[int, str]:
    """Return the status and the hub's own code for a refusal; what may pass is 503."""
    status, code = _CODES.get(refused.failure.reason, (503, ""))
    if code == "RepoNotFound" and not has_token:
        status = 401  # so that clients say that a token may help
    return status, code


def describe(repository: str, listing: Listing) -> Manifest:
    """Describe a repository at one commit, as far as a cache knows it."""
    return {
        "_id": listing.commit[:24],
        "id": repository,
        "modelId": repository,
        "sha": listing.commit,
        "private": False,
        "gated": False,
        "disabled": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": [{"rfilename": file.path} for file in listing.files],
    }


def entries(listing: Listing, folder: str, *, recursive: bool) -> list[Manifest]:
    """List files and folders below a folder, in the order of their names; empty where none is."""
    prefix = f"{folder}/" if folder else ""
    below = [file for file in listing.files if file.path.startswith(prefix)]
    names: dict[str, Manifest] = {}
    for file in below:
        parts = file.path[len(prefix) :].split("/")
        depth = len(parts) if recursive else 2
        for end in range(1, min(depth, len(parts))):
            name = prefix + "/".join(parts[:end])
            names[name] = _folder(name, listing.commit)
        if recursive or len(parts) == 1:
            names[file.path] = _entry(file)
    return [names[name] for name in sorted(names)]


def about_paths(listing: Listing, paths: Sequence[str]) -> list[Manifest]:
    """Describe those paths that there are."""
    wanted = [path.strip("/") for path in paths]
    known = {str(entry["path"]): entry for entry in entries(listing, "", recursive=True)}
    return [known[path] for path in wanted if path in known]


def page(
    all_entries: Sequence[Manifest], *, cursor: str, limit: str
) -> tuple[str, Sequence[Manifest], int | None]:
    """Return one page as JSON, its entries, and where the next one begins; None: it is the last."""
    size = min(PAGE, max(1, int(limit))) if limit.isdecimal() and len(limit) < 9 else PAGE
    start = int(cursor) if cursor.isdecimal() and len(cursor) < 9 else 0
    shown = all_entries[start : start + size]
    following = start + size if start + size < len(all_entries) else None
    return json.dumps(list(shown)), shown, following


def next_link(url: str, query: Iterable[tuple[str, str]], cursor: int) -> str:
    kept = [(name, value) for name, value in query if name != "cursor"]
    return f'<{url}?{urlencode([*kept, ("cursor", str(cursor))])}>; rel="next"'


def etag_of(file: RemoteFile) -> str:
    return f'"{file.sha256 or file.git_sha1 or file.etag or ""}"'


def _folder(name: str, commit: str) -> Manifest:
    return {"type": "directory", "path": name, "oid": commit, "size": 0}


def _entry(file: RemoteFile) -> Manifest:
    entry: Manifest = {
        "type": "file",
        "path": file.path,
        "size": file.size,
        "oid": file.git_sha1 or "",
    }
    if file.sha256 is not None:
        entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": 134}
    return entry
