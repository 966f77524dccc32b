"""Puts a failed fetch into words: which error of the hub's client means what."""

import errno
from collections.abc import Iterator

import httpx2
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.state import FetchFailed

_FULL = (errno.ENOSPC, errno.EDQUOT)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
TOO_MANY_REQUESTS = 429
UNAUTHORIZED = (401, 403)


def explained(error: Exception, origin: HubRepository, *, has_token: bool) -> FetchFailed:
    """Return the reason and the sentence for an error of a fetch, by the first cause that tells."""
    for cause in _causes(error):
        failure = _of_hub(cause, origin, has_token=has_token) or _of_system(cause, origin)
        if failure is not None:
            return failure
    name = type(error).__name__
    return FetchFailed(reason="FetchFailed", message=f"{name}: {_line(error)}", passing=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _of_hub(error: BaseException, origin: HubRepository, *, has_token: bool) -> FetchFailed | None:
    repository = origin.repository
    token = "the token" if has_token else "there is no token, and"
    match error:
        case GatedRepoError():
            words = f"{repository} is gated: {token} does not open it"
            return _lasting("GatedRepository", words)
        case RepositoryNotFoundError():
            hint = "this token does not see it" if has_token else "it is private and needs a token"
            return _lasting("RepositoryNotFound", f"the hub has no {repository}, or {hint}")
        case RevisionNotFoundError():
            return _lasting("RevisionNotFound", f"{repository} has no revision {origin.revision}")
        case RemoteEntryNotFoundError():
            return _lasting("FileNotFound", f"{repository} lacks a file: {_line(error)}")
        case DisabledRepoError():
            return _lasting("RepositoryDisabled", f"the hub has disabled {repository}")
        case HFValidationError():
            return _lasting("InvalidRepository", f"{repository!r} names no repository")
        case HfHubHTTPError(response=response):
            return _of_status(response.status_code, repository)
        case _:
            return None


def _of_status(status: int, repository: str) -> FetchFailed:
    if status in UNAUTHORIZED:
        return _lasting("Unauthorized", f"the hub refuses {repository} (HTTP {status})")
    if status == TOO_MANY_REQUESTS:
        return _passing("RateLimited", "the hub asks for fewer requests (HTTP 429)")
    return _passing("HubError", f"the hub answered HTTP {status} for {repository}")


def _of_system(error: BaseException, origin: HubRepository) -> FetchFailed | None:
    match error:
        case OfflineModeIsEnabled():
            return _lasting("Offline", "HF_HUB_OFFLINE forbids to fetch from the hub")
        case httpx2.TransportError():
            words = f"the hub can't be reached for {origin.repository}: {_line(error)}"
            return _passing("NetworkUnreachable", words)
        case OSError(errno=number) if number in _FULL:
            return _passing("NoSpace", f"the disk of the cache is full: {_line(error)}")
        case OSError(errno=number) if number in _READ_ONLY:
            return _lasting("CacheNotWritable", f"the cache can't be written: {_line(error)}")
        case OSError() if "Consistency check failed" in str(error):
            return _passing("TruncatedDownload", _line(error))
        case _:
            return None


def _lasting(reason: str, message: str) -> FetchFailed:
    return FetchFailed(reason=reason, message=message, passing=False)


def _passing(reason: str, message: str) -> FetchFailed:
    return FetchFailed(reason=reason, message=message, passing=True)


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
