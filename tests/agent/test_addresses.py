"""Which addresses are this machine's own."""

import pytest

from llmaz.agent.addresses import is_at, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "localhost"])
def test_loopback_is_known_in_all_its_forms(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", ""])
def test_all_else_is_reached_from_elsewhere(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:9401", True),
        ("http://localhost:9401/", True),
        ("http://10.0.0.1:9401", True),
        ("http://10.0.0.2:9401", False),
        ("http://127.0.0.1:9402", False),
        ("https://huggingface.co", False),
        ("http://127.0.0.1:nothing", False),
        ("", False),
    ],
)
def test_a_url_is_ones_own_by_address_and_port(url: str, own: bool) -> None:
    assert is_at(url, {"10.0.0.1"}, 9401) is own
