"""`llmaz up` is killed in the middle of things, or asked to end; what was promised still holds."""

import os
import signal
from collections.abc import Callable
from functools import partial

import pytest

from support.machine import SERVE_SMOLLM2, Machine, is_alive, processes, until

pytestmark = pytest.mark.timeout(240)

MOMENTS: dict[str, Callable[[Machine], bool]] = {
    "the home is made": lambda machine: machine.home.exists(),
    "the API server has a token": lambda machine: (machine.home / "server" / "token").exists(),
    "there is a kubeconfig": lambda machine: (machine.home / "kubeconfig").exists(),
    "the agent has its lock": lambda machine: (machine.home / "agent" / "agent.lock").exists(),
}


def test_up_may_be_killed_at_any_moment_of_its_start(machine: Machine) -> None:
    for name, has_come in MOMENTS.items():
        with machine.up_in_the_foreground() as process:
            until(partial(has_come, machine), f"not reached: {name}")
            process.kill()
        until(lambda: not machine.processes(), f"killed when {name}: {machine.processes()}")
    machine.up()
    assert machine.kubectl("get", "backendruntimes", "-o", "name")


def test_an_engine_that_was_just_starting_is_found_and_not_started_twice(machine: Machine) -> None:
    name = f"crash-{os.getpid()}"
    manifest = SERVE_SMOLLM2.replace("smollm2\n", f"{name}\n")
    machine.up()
    machine.kubectl("apply", "-f", "-", stdin=manifest)
    until(lambda: bool(processes(f"--alias {name}")), "no engine was started")
    [engine] = processes(f"--alias {name}")
    machine.kill_up()
    machine.up()
    machine.wait_for(name, lambda condition: bool(condition["status"] == "True"))
    assert list(processes(f"--alias {name}")) == [engine]


def test_ctrl_c_stops_the_engines_and_then_everything(machine: Machine) -> None:
    with machine.up_in_the_foreground() as process:
        assert process.stdout is not None
        for line in process.stdout:
            if " gateway: " in line:
                break
        machine.kubectl("apply", "-f", "-", stdin=SERVE_SMOLLM2)
        told = ""
        for line in process.stdout:
            told += line
            if "playground default/smollm2: ready at http://127.0.0.1:" in line:
                break
        [engine] = machine.engines()
        process.send_signal(signal.SIGINT)
        told += process.stdout.read()
    assert process.returncode == 0
    assert "engine default/smollm2-0: " in told  # of what passes in a moment not all is told
    assert "weights of smollm2: here, " in told
    assert machine.processes() == {}
    assert not is_alive(engine["pid"])
