"""Which addresses may be asked for weights, and where an answer may lead."""

import ipaddress

import pytest

from llmaz.agent.cache.destinations import Forbidden, may_lead, refuse_link


@pytest.mark.parametrize(
    ("here", "there", "may"),
    [
        ("8.8.8.8", "1.1.1.1", True),
        ("8.8.8.8", "10.0.0.1", False),
        ("8.8.8.8", "127.0.0.1", False),
        ("2606:4700::1", "::1", False),
        ("2606:4700::1", "fd00::1", False),
        ("10.0.0.1", "10.0.0.2", True),
        ("10.0.0.1", "8.8.8.8", True),
        ("127.0.0.1", "127.0.0.1", True),
    ],
)
def test_from_the_internet_no_redirect_leads_inside(here: str, there: str, may: bool) -> None:
    assert may_lead(ipaddress.ip_address(here), ipaddress.ip_address(there)) is may


@pytest.mark.parametrize(
    "host",
    [
        *("169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "fd00:ec2::254", "fd00:ec2::23"),
        *("fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    ],
)
def test_where_clouds_keep_credentials_no_weights_come_from(host: str) -> None:
    with pytest.raises(Forbidden, match="credentials"):
        refuse_link(host)


@pytest.mark.parametrize("host", ["8.8.8.8", "10.0.0.1", "100.64.0.1", "::1", "fd00::1", "a.name"])
def test_weights_may_come_from_anywhere_else(host: str) -> None:
    refuse_link(host)
