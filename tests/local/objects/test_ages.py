"""Ages as a server prints them."""

from datetime import UTC, datetime, timedelta

import pytest

from llmaz.local.objects.ages import age, human


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (283, "4m43s"),
        (600, "10m"),
        (10740, "179m"),
        (10800, "3h"),
        (11100, "3h5m"),
        (28800, "8h"),
        (172799, "47h"),
        (172800, "2d"),
        (180000, "2d2h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (730 * 86400, "2y"),
        (731 * 86400, "2y1d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_an_age_has_two_units_at_most(seconds: int, text: str) -> None:
    assert human(timedelta(seconds=seconds)) == text


def test_an_age_counts_from_a_time_of_the_object() -> None:
    now = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    assert age("2026-01-01T00:00:00Z", now) == "60s"
    assert age(None, now) == "<unknown>"
    assert age("yesterday", now) == "<invalid>"
