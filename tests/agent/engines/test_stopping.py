"""How long an engine's end may take, and with what it begins."""

import dataclasses
import signal
from datetime import UTC, datetime, timedelta

from llmaz.agent.engines.record import Stopping
from llmaz.agent.engines.stopping import executes, seconds_left, signal_number
from llmaz.api.node import AssignedEngine
from llmaz.api.pod import Exec, Lifecycle, LifecycleHandler, Probe

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ENGINE = AssignedEngine(id="default/chat-0", service="chat", model="qwen", main_model="qwen")
STOP = Stopping(since=NOW, reason="no longer assigned")


def test_an_engine_has_its_own_grace() -> None:
    assert seconds_left(STOP, ENGINE, NOW) == 130
    assert seconds_left(STOP, ENGINE, NOW + timedelta(seconds=100)) == 30


def test_a_stop_that_comes_late_still_leaves_a_moment_between_signal_and_kill() -> None:
    assert seconds_left(STOP, ENGINE, NOW + timedelta(days=1)) == 1


def test_what_serves_nobody_gets_little() -> None:
    assert seconds_left(dataclasses.replace(STOP, drained=True), ENGINE, NOW) == 10


def test_a_stop_of_all_may_shorten_it() -> None:
    assert seconds_left(dataclasses.replace(STOP, within=5.0), ENGINE, NOW) == 5


def test_a_runtime_may_name_the_signal() -> None:
    def number(name: str | None) -> int:
        lifecycle = Lifecycle(stop_signal=name)
        return signal_number(dataclasses.replace(ENGINE, lifecycle=lifecycle))

    assert signal_number(ENGINE) == signal.SIGTERM
    assert number("SIGINT") == signal.SIGINT
    assert number("SIGNONSENSE") == signal.SIGTERM


def test_an_environment_is_needed_for_commands_only() -> None:
    command = Exec(command=("true",))
    hook = Lifecycle(pre_stop=LifecycleHandler(exec=command))
    assert not executes(ENGINE)
    assert executes(dataclasses.replace(ENGINE, lifecycle=hook))
    assert executes(dataclasses.replace(ENGINE, liveness_probe=Probe(exec=command)))
