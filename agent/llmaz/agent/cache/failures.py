"""Puts a failed fetch into words: which error of the disk or the wire means what."""

import errno

from llmaz.agent.cache.destinations import Forbidden
from llmaz.agent.cache.outcome import FetchFailed
from llmaz.agent.cache.wire import CutError, NetworkError, TooLong

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


def explained(error: Exception, name: str) -> FetchFailed:
    """Return the reason and the sentence for an error of a fetch of `name`."""
    match error:
        case CutError():
            return _passing("TruncatedDownload", f"{name}: {_line(error)}")
        case NetworkError():
            return _passing("NetworkUnreachable", f"{name} can't be fetched now: {_line(error)}")
        case TooLong():
            return _lasting("ListingTooLong", f"{name}: {_line(error)}")
        case Forbidden():
            return _lasting("ForbiddenAddress", f"{name}: {_line(error)}")
        case OSError(errno=number) if number in FULL:
            return _passing("NoSpace", f"the disk of the cache is full: {_line(error)}")
        case OSError(errno=number) if number in _READ_ONLY:
            return _lasting("CacheNotWritable", f"the cache can't be written: {_line(error)}")
        case _:
            return _passing("FetchFailed", f"{type(error).__name__}: {_line(error)}")


def _lasting(reason: str, message: str) -> FetchFailed:
    return FetchFailed(reason=reason, message=message, passing=False)


def _passing(reason: str, message: str) -> FetchFailed:
    return FetchFailed(reason=reason, message=message, passing=True)


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
