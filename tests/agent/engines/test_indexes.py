"""pip's configuration, as uv is told of it."""

import pytest

from llmaz.agent.engines.indexes import for_uv, pip_files

HOUSE = "[global]\nindex-url = https://house/simple\ncert = /etc/ca.pem\n"


def test_uv_asks_the_index_that_pip_is_configured_for() -> None:
    assert for_uv({}, [HOUSE]) == {
        "UV_DEFAULT_INDEX": "https://house/simple",
        "SSL_CERT_FILE": "/etc/ca.pem",
    }


def test_a_later_file_and_variables_prevail() -> None:
    later = "[global]\nindex_url = https://later\n[install]\nindex-url = https://installing\n"
    assert for_uv({}, [HOUSE, later])["UV_DEFAULT_INDEX"] == "https://installing"
    told = for_uv({"PIP_INDEX_URL": "https://told"}, [HOUSE, later])
    assert told["UV_DEFAULT_INDEX"] == "https://told"


def test_of_several_indexes_the_best_version_is_taken_as_pip_does() -> None:
    text = "[global]\nextra-index-url =\n    https://a\n    https://b\n"
    assert for_uv({}, [text]) == {
        "UV_INDEX": "https://a https://b",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_links_are_separated_as_uv_reads_them() -> None:
    assert for_uv({"PIP_FIND_LINKS": "/a /b"}, []) == {"UV_FIND_LINKS": "/a,/b"}


@pytest.mark.parametrize("own", ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_FIND_LINKS"])
def test_what_uv_is_told_itself_is_left_alone(own: str) -> None:
    assert for_uv({own: "x"}, [HOUSE]) == {}


def test_a_file_that_pip_could_not_read_either_says_nothing() -> None:
    assert for_uv({}, ["no section here"]) == {}
    assert for_uv({}, []) == {}


def test_the_users_file_prevails_over_the_machines() -> None:
    files = pip_files({"HOME": "/home/u"})
    assert files == (
        "/etc/xdg/pip/pip.conf",
        "/etc/pip.conf",
        "/home/u/.pip/pip.conf",
        "/home/u/.config/pip/pip.conf",
    )
    assert pip_files({"HOME": "/home/u", "PIP_CONFIG_FILE": "/x"})[-1] == "/x"
    assert pip_files({"PIP_CONFIG_FILE": "/dev/null"}) == ()
