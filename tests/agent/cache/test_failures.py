"""What is said of an error of the disk or the wire."""

import errno

import pytest

from llmaz.agent.cache.destinations import Forbidden
from llmaz.agent.cache.failures import explained
from llmaz.agent.cache.wire import CutError, NetworkError


@pytest.mark.parametrize(
    ("error", "reason", "passing"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "NoSpace", True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "NoSpace", True),
        (OSError(errno.EROFS, "Read-only file system"), "CacheNotWritable", False),
        (CutError("it was cut off at 2 of 3"), "TruncatedDownload", True),
        (NetworkError("hub can't be reached: refused"), "NetworkUnreachable", True),
        (Forbidden("169.254.169.254 is an address of the link"), "ForbiddenAddress", False),
        (RuntimeError("strange"), "FetchFailed", True),
    ],
)
def test_an_error_has_a_reason_and_is_worth_another_try_or_not(
    error: Exception, reason: str, passing: bool
) -> None:
    failure = explained(error, "acme/tiny")
    assert (failure.reason, failure.passing) == (reason, passing)
