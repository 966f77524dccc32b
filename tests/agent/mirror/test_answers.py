"""The hub's form of what the endpoint answers."""

from llmaz.agent.cache.remote import Listing, Refused, RemoteFile
from llmaz.agent.mirror.answers import entries, next_link, page, status_of

LISTING = Listing(
    commit="c" * 40,
    files=tuple(RemoteFile(path=path, size=1, git_sha1="a" * 40) for path in ("x/y/z", "a", "x/b")),
)


def _paths(folder: str, *, recursive: bool) -> list[object]:
    return [entry["path"] for entry in entries(LISTING, folder, recursive=recursive)]


def test_a_folder_is_listed_with_the_folders_in_it() -> None:
    assert _paths("", recursive=False) == ["a", "x"]
    assert _paths("x", recursive=False) == ["x/b", "x/y"]
    assert _paths("", recursive=True) == ["a", "x", "x/b", "x/y", "x/y/z"]
    assert _paths("none", recursive=True) == []


def test_pages_lead_from_one_to_the_next_until_the_last() -> None:
    shown = entries(LISTING, "", recursive=True)
    _, first, following = page(shown, cursor="", limit="3")
    assert (len(first), following) == (3, 3)
    _, second, last = page(shown, cursor="3", limit="3")
    assert (len(second), last) == (2, None)
    link = next_link("http://n/tree", [("limit", "3"), ("cursor", "0")], 3)
    assert link == '<http://n/tree?limit=3&cursor=3>; rel="next"'


def test_a_missing_repository_asks_those_without_a_token_for_one() -> None:
    refused = Refused("RepositoryNotFound", "none", passing=False)
    assert status_of(refused, has_token=False) == (401, "RepoNotFound")
    assert status_of(refused, has_token=True) == (404, "RepoNotFound")
    assert status_of(Refused("HubUnreachable", "", passing=True), has_token=True) == (503, "")
