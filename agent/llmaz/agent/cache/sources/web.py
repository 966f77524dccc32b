"""One file of a web server, whose version is its ETag."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from llmaz.agent.cache.origin import WebFile, name_of
from llmaz.agent.cache.remote import Headers, Listing, Refused, RemoteFile, Target
from llmaz.agent.cache.sources.answers import number, pinned, refusal, strong
from llmaz.agent.cache.wire import Wire

_KNOWS_RANGES, _KNOWS_NONE = 206, 200


@dataclass(frozen=True)
class Web:
    """One address."""

    origin: WebFile
    wire: Wire

    def listing(self) -> Listing:
        """Ask for the first byte: some servers refuse HEAD where they allow GET."""
        answer = self.wire.ask(Target(url=self.origin.url), {"Range": "bytes=0-0"})
        self.wire.finish(answer)
        where = name_of(self.origin)
        if answer.status == _KNOWS_RANGES:
            size = (answer.headers.get("Content-Range") or "").rpartition("/")[2]
        elif answer.status == _KNOWS_NONE:
            size = answer.headers.get("Content-Length") or ""
        else:
            raise refusal(answer.status, where)
        if not size.isdecimal():
            raise Refused("UnknownSize", f"{where} does not tell its size", passing=False)
        file = RemoteFile(
            path=unquote(urlsplit(self.origin.url).path).rpartition("/")[2],
            size=number(size),
            etag=strong(answer.headers.get("ETag")),
        )
        return pinned([file], anonymous="?" not in self.origin.url)  # it may be signed

    def target(self, file: RemoteFile) -> Target:  # noqa: ARG002  # there is but one
        return Target(url=self.origin.url)

    def why(self, status: int, headers: Headers) -> Refused | None:  # noqa: ARG002
        """Say nothing: a web server's statuses mean the same everywhere."""
        return None
