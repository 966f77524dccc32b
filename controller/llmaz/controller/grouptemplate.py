"""A pod that serves alone -> a leader and workers, by the multiHostCommands of its runtime."""

import dataclasses
import shlex

from llmaz.api.backendruntime import MultiHostCommands
from llmaz.api.openmodel import Flavor
from llmaz.api.podtemplate import Container, PodSpec, PodTemplate
from llmaz.api.service import WorkloadTemplate
from llmaz.controller.flavors import hosts_of


def group_template(
    pod: PodSpec, commands: MultiHostCommands, flavors: tuple[Flavor, ...]
) -> WorkloadTemplate:
    """Return the template of a group whose members have what `pod` has, but for their commands.

    Where the flavors take different numbers of nodes, the size is left to each of them.
    """
    sizes = {hosts_of(flavor) for flavor in flavors}
    leader = _with_command(pod, commands.leader, with_args=True)
    worker = _with_command(pod, commands.worker, with_args=False) if commands.worker else leader
    return WorkloadTemplate(
        leader_template=PodTemplate(spec=leader),
        worker_template=PodTemplate(spec=_unasked(worker)),
        size=sizes.pop() if len(sizes) == 1 else 1,
    )


def _with_command(pod: PodSpec, command: tuple[str, ...], *, with_args: bool) -> PodSpec:
    runner = pod.model_runner
    assert runner is not None  # of every Playground's pod
    if with_args and len(command) > 1 and command[-2] == "-c":
        # Arguments of a script would become $0, $1, ...: those for its last command stand in it.
        words = (command[-1].rstrip("\n"), *map(shlex.quote, runner.args))
        script = (*command[:-1], " ".join(words))
        return _replaced(pod, dataclasses.replace(runner, command=script, args=()))
    args = runner.args if with_args else ()
    return _replaced(pod, dataclasses.replace(runner, command=command, args=args))


def _unasked(pod: PodSpec) -> PodSpec:
    """Return the pod without its port and probes: nobody but the leader asks a worker anything."""
    runner = pod.model_runner
    assert runner is not None  # as above
    silent = dataclasses.replace(
        runner,
        ports=(),
        startup_probe=None,
        liveness_probe=None,
        readiness_probe=None,
        lifecycle=None,
    )
    return _replaced(pod, silent)


def _replaced(pod: PodSpec, runner: Container) -> PodSpec:
    return dataclasses.replace(pod, containers=(runner,))
