"""A Hugging Face hub, or a mirror that speaks as one does (HF_ENDPOINT).

Two listings and plain downloads are all that is asked of it. Files that the hub keeps in Xet are
served whole by the same address, with the same sha256; `xetdoor` asks for their chunks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

from llmaz.agent.cache.acl import Visibility
from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.remote import Headers, Listing, Refused, RemoteFile, Target
from llmaz.agent.cache.sources.answers import bounded, hexadecimal, number, refusal
from llmaz.agent.cache.wire import Answer, CutError, Wire, json_of
from llmaz.api.names import HF_TOKEN

DEFAULT_ENDPOINT = "https://huggingface.co"
_TRUE = ("1", "ON", "YES", "TRUE")
_LONGEST_COMMIT = 64


@dataclass(frozen=True)
class HuggingFace:
    """One repository of a hub."""

    origin: HubRepository
    wire: Wire
    endpoint: str
    token: str | None = field(repr=False)

    @classmethod
    def of(
        cls,
        origin: HubRepository,
        wire: Wire,
        credentials: Mapping[str, str],
        environ: Mapping[str, str],
    ) -> "HuggingFace":
        """Read what the hub's own client reads: HF_ENDPOINT, HF_HUB_OFFLINE, and its token."""
        if environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE:
            words = "HF_HUB_OFFLINE forbids to fetch from the hub"
            raise Refused("Offline", words, passing=False)
        endpoint = (environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
        token = credentials.get(HF_TOKEN) or environ.get(HF_TOKEN) or _logged_in(environ)
        return cls(origin, wire, endpoint, token or None)

    def listing(self) -> Listing:
        """Pin the revision to a commit, and list its files."""
        where = f"{self.endpoint}/api/models/{quote(self.origin.repository)}"
        about, _ = self._json(f"{where}/revision/{quote(self.origin.revision, safe='')}")
        commit = about.get("sha") if isinstance(about, dict) else None
        if not isinstance(commit, str) or not commit.isalnum() or len(commit) > _LONGEST_COMMIT:
            words = f"the hub names no commit for {self.origin.repository}@{self.origin.revision}"
            raise Refused("RevisionNotFound", words, passing=False)
        files = self._files(f"{where}/tree/{commit}?recursive=true&expand=false", commit)
        return Listing(
            commit=commit,
            files=bounded(files, self.origin.repository),
            visibility=_visibility(about, bool(self.token)),
        )

    def _files(self, url: str | None, commit: str) -> Iterator[RemoteFile]:
        while url is not None:
            page, answer = self._json(url)
            if not isinstance(page, list):
                raise CutError("the hub's listing is none")
            yield from (_file(entry, commit) for entry in page if _is_file(entry))
            url = _next_page(url, answer)

    def target(self, file: RemoteFile) -> Target:
        """Return the address of a file at the commit that the listing pinned."""
        path = f"{quote(self.origin.repository)}/resolve/{file.address}/{quote(file.path)}"
        return Target(url=f"{self.endpoint}/{path}", headers=self.headers())

    def headers(self) -> Mapping[str, str]:
        """Return what shows the hub who asks."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def _json(self, url: str) -> tuple[object, Answer]:
        answer, body = self.wire.text(Target(url=url, headers=self.headers()))
        if answer.status != 200:
            raise self.why(answer.status, answer.headers) or refusal(
                answer.status, self.origin.repository
            )
        return json_of(body, "the hub"), answer

    def why(self, status: int, headers: Headers) -> Refused | None:
        """Read the hub's own code of an error."""
        name = self.origin.repository
        match headers.get("X-Error-Code"):
            case "GatedRepo":
                why = "this token does not open it" if self.token else "there is no token"
                words = f"{name} is gated, and {why}"
                return Refused("GatedRepository", words, passing=False)
            case "RevisionNotFound":
                words = f"{name} has no revision {self.origin.revision}"
                return Refused("RevisionNotFound", words, passing=False)
            case "EntryNotFound":
                return Refused("FileNotFound", f"{name} lacks a file that it lists", passing=False)
            case "DisabledRepo":
                words = f"the hub has disabled {name}"
                return Refused("RepositoryDisabled", words, passing=False)
            case "RepoNotFound":
                return self._not_found()
            case _:
                return self._not_found() if status in (401, 404) else None

    def _not_found(self) -> Refused:
        hint = "this token does not see it" if self.token else "it is private and needs a token"
        words = f"the hub has no {self.origin.repository}, or {hint}"
        return Refused("RepositoryNotFound", words, passing=False)


def _visibility(about: object, has_token: bool) -> Visibility:
    """Read who may see a repository; a gated one shows its names, but no bytes, to all."""
    said = about if isinstance(about, dict) else {}
    if said.get("gated") or said.get("private"):
        return Visibility.GATED
    told = said.get("gated") is False and said.get("private") is False
    return Visibility.PUBLIC if told or not has_token else Visibility.UNKNOWN


def _is_file(entry: object) -> bool:
    return isinstance(entry, dict) and entry.get("type") == "file"


def _file(entry: Mapping[str, object], commit: str) -> RemoteFile:
    lfs = entry.get("lfs")
    large = lfs if isinstance(lfs, dict) else {}
    sha256, git = large.get("oid"), entry.get("oid")
    return RemoteFile(
        path=str(entry.get("path")),
        size=number(large.get("size", entry.get("size"))),
        address=commit,
        sha256=hexadecimal(sha256, 64) if large else None,
        git_sha1=hexadecimal(git, 40),
        xet=hexadecimal(entry.get("xetHash"), 64) if large else None,
    )


def _next_page(url: str, answer: Answer) -> str | None:
    """Return where a `Link` header leads: to the same hub, or nowhere."""
    for link in (answer.headers.get("Link") or "").split(","):
        address, _, relation = link.partition(";")
        if 'rel="next"' in relation:
            following = urljoin(url, address.strip().strip("<>"))
            if urlsplit(following)[:2] == urlsplit(url)[:2]:
                return following
            raise CutError("the hub's listing goes on at another place")
    return None


def _logged_in(environ: Mapping[str, str]) -> str:
    """Return the token of `hf auth login`, for a machine of one user."""
    home = environ.get("HF_HOME") or f"{environ.get('HOME', '')}/.cache/huggingface"
    path = Path(environ.get("HF_TOKEN_PATH") or f"{home}/token")
    try:
        return path.read_text().strip()
    except OSError:
        return ""
