from pathlib import Path

import pytest

from llmaz.controller.settings import Settings, from_argv
from llmaz.controller.slots.policy import SlotPolicy


def test_defaults_come_from_the_environment_and_the_host() -> None:
    assert from_argv([], {"KUBECONFIG": "/k"}, "host") == Settings(
        kubeconfig=Path("/k"),
        identity="host",
        gateway_url="",
        listen_host="127.0.0.1",
        listen_port=9401,
        lifeline=False,
        log_format="text",
    )


def test_without_a_kubeconfig_the_service_account_is_meant() -> None:
    assert from_argv([], {}, "host").kubeconfig is None


def test_the_command_line_wins() -> None:
    argv = ["--kubeconfig", "/mine", "--identity", "me", "--listen", "[::1]:0", "--lifeline"]
    argv += ["--gateway-url", "http://gateway/v1"]
    assert from_argv([*argv, "--log-format", "json"], {"KUBECONFIG": "/k"}, "host") == Settings(
        kubeconfig=Path("/mine"),
        identity="me",
        gateway_url="http://gateway/v1",
        listen_host="::1",
        listen_port=0,
        lifeline=True,
        log_format="json",
    )


def test_what_a_newer_chart_says_of_slots_is_left_out_and_named() -> None:
    said = '{"launcher": "slot", "newerThing": {"a": 1}, "another": "", "warm": 2}'
    settings = from_argv(["--slots", said], {}, "host")
    assert settings.slots == SlotPolicy(launcher="slot", warm=2)
    assert settings.slots_unknown == ("another", "newerThing")


@pytest.mark.parametrize(
    "argv",
    [
        ["--listen", "nowhere"],
        ["--listen", "h:99999"],
        ["--nonsense"],
        ["--slots", '{"warm": 99}'],
        ["--slots", "[]"],
        ["--slots", "{"],
    ],
    ids=["host", "port", "option", "bounds", "list", "JSON"],
)
def test_a_mistake_ends_with_the_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        from_argv(argv, {}, "host")
    assert ended.value.code == 2
    assert "usage: llmaz-controller" in capsys.readouterr().err
