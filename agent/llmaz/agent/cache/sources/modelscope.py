"""A repository of ModelScope, or of a server that speaks as it does (MODELSCOPE_ENDPOINT).

Its default branch is mostly `master`, while a source's default revision is `main`: where there is
no `main`, the default branch is meant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.remote import Headers, Listing, Refused, RemoteFile, Target
from llmaz.agent.cache.sources.answers import bounded, hexadecimal, number, pinned, refusal
from llmaz.agent.cache.wire import CutError, Wire, json_of

DEFAULT_ENDPOINT = "https://www.modelscope.cn"
TOKEN = "MODELSCOPE_API_TOKEN"  # noqa: S105  # the name of a key
_DEFAULT_REVISION, _DEFAULT_BRANCH = "main", "master"


@dataclass(frozen=True)
class ModelScope:
    """One repository."""

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
    ) -> "ModelScope":
        """Read what the hub's own client reads."""
        endpoint = (environ.get("MODELSCOPE_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
        return cls(origin, wire, endpoint, credentials.get(TOKEN) or environ.get(TOKEN))

    def listing(self) -> Listing:
        """List the files of the revision, which has no commit's name: their digests are one."""
        wanted = self.origin.revision
        branches = (wanted, _DEFAULT_BRANCH) if wanted == _DEFAULT_REVISION else (wanted,)
        for branch in branches:
            files = self._files(branch)
            if files is not None:
                return pinned(files, anonymous=not self.token)
        words = f"ModelScope has no {self.origin.repository} with a revision {wanted}"
        raise Refused("RevisionNotFound", words, passing=False)

    def target(self, file: RemoteFile) -> Target:
        query = urlencode({"Revision": file.address, "FilePath": file.path})
        return Target(url=f"{self._where()}/repo?{query}", headers=self._headers())

    def why(self, status: int, headers: Headers) -> Refused | None:  # noqa: ARG002
        """Say nothing: the hub's statuses mean the same as everywhere."""
        return None

    def _where(self) -> str:
        return f"{self.endpoint}/api/v1/models/{quote(self.origin.repository)}"

    def _headers(self) -> Mapping[str, str]:
        if not self.token:
            return {}
        return {"Authorization": f"Bearer {self.token}", "Cookie": f"m_session_id={self.token}"}

    def _files(self, branch: str) -> tuple[RemoteFile, ...] | None:
        """Return the files of a branch; None where there is no such branch."""
        query = urlencode({"Revision": branch, "Recursive": "True"})
        target = Target(url=f"{self._where()}/repo/files?{query}", headers=self._headers())
        answer, body = self.wire.text(target)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise refusal(answer.status, self.origin.repository)
        said = json_of(body, "ModelScope")
        if isinstance(said, dict) and said.get("Success") is False:
            return None
        data = said.get("Data") if isinstance(said, dict) else None
        entries = data.get("Files") if isinstance(data, dict) else None
        if not isinstance(entries, list):
            raise CutError("ModelScope's listing is none")
        blobs = (_file(entry, branch) for entry in entries if entry.get("Type") == "blob")
        return bounded(blobs, self.origin.repository)


def _file(entry: Mapping[str, object], branch: str) -> RemoteFile:
    return RemoteFile(
        path=str(entry.get("Path")),
        size=number(entry.get("Size")),
        address=branch,
        sha256=hexadecimal(entry.get("Sha256"), 64),
    )
