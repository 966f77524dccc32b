"""String formats."""

from datetime import timedelta

import pytest

from llmaz.local.objects.formats import matches, parse_duration


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("date-time", "2026-01-01T00:00:00Z"),
        ("date-time", "2026-01-01t00:00:00.123456z"),
        ("date-time", "2026-01-01T00:00:00+01:00"),
        ("date", "2026-02-28"),
        ("duration", "1h30m"),
        ("duration", "3 days"),
        ("byte", "aGk="),
        ("byte", ""),
        ("uri", "https://h.io/p"),
        ("uri", "/path"),
        ("email", "a@b.io"),
        ("hostname", "a.b-c.io"),
        ("ipv4", "10.0.0.1"),
        ("ipv6", "::1"),
        ("cidr", "10.0.0.0/8"),
        ("mac", "00:11:22:aa:bb:cc"),
        ("uuid", "71b2677c-1ac6-428b-b4ca-2025ddda4e43"),
        ("uuid4", "71b2677c-1ac6-428b-b4ca-2025ddda4e43"),
        ("hexcolor", "#a0b0c0"),
        ("k8s-short-name", "a-b"),
        ("k8s-long-name", "a.b"),
        ("something-else", "anything"),
    ],
)
def test_a_text_of_the_format_is_accepted(name: str, text: str) -> None:
    assert matches(text, name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("date-time", "yesterday"),
        ("date-time", "2026-01-01"),
        ("date-time", "2026-02-30T00:00:00Z"),
        ("date-time", "2026-01-01T24:00:00Z"),
        ("date-time", "2026-01-01 00:00:00Z"),
        ("date", "2026-2-1"),
        ("duration", "1 fortnight"),
        ("byte", "not base64"),
        ("uri", "no uri"),
        ("uri", "relative/path"),
        ("email", "a@"),
        ("hostname", "-a"),
        ("ipv4", "10.0.0"),
        ("ipv6", "10.0.0.1"),
        ("cidr", "10.0.0.1"),
        ("mac", "00:11"),
        ("uuid", "x"),
        ("uuid4", "71b2677c-1ac6-128b-b4ca-2025ddda4e43"),
        ("k8s-short-name", "a.b"),
        ("k8s-long-name", "A"),
    ],
)
def test_a_text_of_another_form_is_refused(name: str, text: str) -> None:
    assert not matches(text, name)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("-1.5h", timedelta(hours=-1.5)),
        ("0", timedelta()),
        ("1h2m3s4ms", timedelta(hours=1, minutes=2, seconds=3, milliseconds=4)),
        ("1", None),
        ("99999999999999h", None),
    ],
)
def test_durations_are_read_as_go_reads_them(text: str, duration: timedelta | None) -> None:
    assert parse_duration(text) == duration
