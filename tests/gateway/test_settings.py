from pathlib import Path

import pytest

from llmaz.gateway.settings import from_argv


def test_the_command_line_wins_over_the_environment() -> None:
    found = from_argv(["--kubeconfig", "/a"], {"KUBECONFIG": "/b"})
    assert found.kubeconfig == Path("/a")
    assert from_argv([], {"KUBECONFIG": "/b"}).kubeconfig == Path("/b")
    assert from_argv([], {}).kubeconfig is None


def test_the_address_is_split_at_its_last_colon() -> None:
    found = from_argv(["--listen", "[::1]:80"], {})
    assert (found.host, found.port) == ("::1", 80)


def test_the_largest_body_is_given_in_mebibytes() -> None:
    assert from_argv(["--max-body-mib", "2"], {}).max_body_bytes == 2 * 2**20


def test_an_address_without_a_port_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        from_argv(["--listen", "localhost"], {})
    assert "must be HOST:PORT, not 'localhost'" in capsys.readouterr().err
