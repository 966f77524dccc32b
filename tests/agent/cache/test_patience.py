"""How long a server asks to be left alone."""

from datetime import UTC, datetime

import pytest

from llmaz.agent.cache.patience import asked_wait

NOW = datetime(2026, 10, 21, 7, 28, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:00:00 GMT"}, 0.0),
        ({"RateLimit": '"api";r=0;t=55'}, 55.0),
        ({"RateLimit": '"resolvers";r=12;t=55'}, None),
        ({"Retry-After": "soon", "RateLimit": '"api";r=0;t=5'}, 5.0),
        ({"Retry-After": "Wed, 99 Oct 2026"}, None),
        ({}, None),
    ],
)
def test_a_refusal_says_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_wait(headers, NOW) == seconds
