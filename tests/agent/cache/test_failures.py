"""What is said of an error of the disk or the wire."""

import errno

import httpx2
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from llmaz.agent.cache.failures import explained
from llmaz.agent.cache.origin import HubRepository

TINY = HubRepository(repository="acme/tiny", revision="main")


def _caused(cause: Exception) -> Exception:
    error = LocalEntryNotFoundError("an error happened while trying to locate the file")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason", "passing"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "NoSpace", True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "NoSpace", True),
        (OSError(errno.EROFS, "Read-only file system"), "CacheNotWritable", False),
        (OSError("Consistency check failed: file should be of size 2"), "TruncatedDownload", True),
        (_caused(httpx2.ConnectError("refused")), "NetworkUnreachable", True),
        (_caused(OSError(errno.ENOSPC, "No space left on device")), "NoSpace", True),
        (RuntimeError("strange"), "FetchFailed", True),
    ],
)
def test_the_first_cause_that_tells_gives_the_reason(
    error: Exception, reason: str, passing: bool
) -> None:
    failure = explained(error, TINY, has_token=False)
    assert (failure.reason, failure.passing) == (reason, passing)
