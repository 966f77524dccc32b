"""Google's object store by its own interface, as who holds a service account's key, or nobody.

It lists an md5 of every object but those that were composed of others. An object's generation is a
part of the address, so that all ranges are of one version. Who has an HMAC key of Google's asks by
the XML interface instead (`buckets`).
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from llmaz.agent.cache.origin import Bucket, name_of
from llmaz.agent.cache.remote import Headers, Listing, Refused, RemoteFile, Target
from llmaz.agent.cache.sources.answers import below, bounded, number, pinned, refusal
from llmaz.agent.cache.sources.identity import Identity
from llmaz.agent.cache.wire import CutError, Wire, json_of

_GOOGLE = "https://storage.googleapis.com"
_FIELDS = "items(name,size,md5Hash,generation),nextPageToken"


@dataclass
class GoogleBucket:
    """One object, or all below one key."""

    origin: Bucket
    wire: Wire
    endpoint: str
    identity: Identity[str] | None = field(default=None, repr=False)
    is_lent: bool = False  # the identity is the machine's, and not what somebody gave

    def listing(self) -> Listing:
        try:
            files = bounded(self._files(), name_of(self.origin))
        except Refused as refused:
            if not self.is_lent or refused.failure.reason != "Unauthorized":
                raise
            self.identity, self.is_lent = None, False  # what all may read, the machine need not
            files = bounded(self._files(), name_of(self.origin))
        if not files:
            words = f"there is nothing at {name_of(self.origin)}"
            raise Refused("FileNotFound", words, passing=False)
        return pinned(files, anonymous=self._token() is None)

    def target(self, file: RemoteFile) -> Target:
        name, _, generation = file.address.rpartition("#")
        query = urlencode({"alt": "media", "generation": generation})
        return Target(
            url=f"{self._where()}/{quote(name, safe='')}?{query}", headers=self._headers()
        )

    def why(self, status: int, headers: Headers) -> Refused | None:  # noqa: ARG002
        """Say whether credentials were used; an object of another generation is not found."""
        name = name_of(self.origin)
        match status:
            case 401 | 403 if self._token() is None:
                words = f"there are no credentials, and the store refuses {name} (HTTP {status})"
                return Refused("Unauthorized", words, passing=False)
            case 401 | 403:
                words = f"the store refuses {name} to these credentials (HTTP {status})"
                return Refused("Unauthorized", words, passing=False)
            case 404:
                words = f"{name} changed at the source while it was fetched (HTTP {status})"
                return Refused("SourceChanged", words, passing=True)
            case _:
                return None

    def _files(self) -> Iterator[RemoteFile]:
        query = {"prefix": self.origin.key, "maxResults": "1000", "fields": _FIELDS}
        while True:
            page = self._page(query)
            items = page.get("items", [])
            if not isinstance(items, list):
                raise CutError("the store's listing is none")
            yield from (file for item in items if (file := self._file(item)))
            token = page.get("nextPageToken")
            if not token:
                return
            query["pageToken"] = str(token)

    def _page(self, query: Mapping[str, str]) -> Mapping[str, object]:
        target = Target(url=f"{self._where()}?{urlencode(query)}", headers=self._headers())
        answer, body = self.wire.text(target)
        if answer.status == 404:
            words = f"there is no bucket {self.origin.bucket}"
            raise Refused("RepositoryNotFound", words, passing=False)
        if answer.status != 200:
            known = self.why(answer.status, answer.headers)
            raise known or refusal(answer.status, name_of(self.origin))
        said = json_of(body, "the store")
        if not isinstance(said, dict):
            raise CutError("the store's listing is none")
        return said

    def _file(self, item: Mapping[str, object]) -> RemoteFile | None:
        name, generation = str(item.get("name")), str(item.get("generation"))
        path = below(self.origin.key, name)
        if path is None:
            return None
        return RemoteFile(
            path=path,
            size=number(item.get("size")),
            address=f"{name}#{generation}",
            md5=_hex(item.get("md5Hash")),
            held=generation,
        )

    def _where(self) -> str:
        return f"{self.endpoint}/storage/v1/b/{quote(self.origin.bucket, safe='')}/o"

    def _headers(self) -> Mapping[str, str]:
        token = self._token()
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _token(self) -> str | None:
        return None if self.identity is None else self.identity.now()


def endpoint_of_google(environ: Mapping[str, str]) -> str:
    """Return where the store is: Google's own, or what STORAGE_EMULATOR_HOST names instead."""
    named = environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/")
    if not named:
        return _GOOGLE
    return named if "://" in named else f"http://{named}"


def _hex(value: object) -> str | None:
    try:
        raw = base64.b64decode(str(value), validate=True)
    except binascii.Error:
        return None
    return raw.hex() if len(raw) == 16 else None
