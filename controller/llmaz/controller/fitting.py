"""Which nodes a model would fit on, told before anything is deployed. Pure.

The code that places replicas answers: a Playground is made up, resolved, and every node is asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from llmaz.api.claims import ModelClaim
from llmaz.api.meta import ObjectMeta
from llmaz.api.openmodel import OpenModel
from llmaz.api.placement import Placement
from llmaz.api.playground import BackendRuntimeConfig, Playground, PlaygroundSpec
from llmaz.controller.actions import Refusal
from llmaz.controller.demand import Option, demand
from llmaz.controller.flavors import hosts_of
from llmaz.controller.fleet import Fleet
from llmaz.controller.groups import short_of
from llmaz.controller.memory import Estimate
from llmaz.controller.nodes import needs_of, node_views
from llmaz.controller.refusals import is_runnable, why_not
from llmaz.controller.resolve import resolve
from llmaz.controller.snapshot import ClusterSnapshot

Verdict = Literal["fits", "busy", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether one node could run a replica, or one member of it, on one flavor.

    A node that is `busy` could, but for what runs there now; `short` says what it lacks.
    """

    flavor: str
    node: str
    verdict: Verdict
    short: str = ""
    accelerators: int = 0  # of the node, for a replica or a member of one
    nodes: int = 1  # that a replica takes
    memory: Estimate | None = None  # of each accelerator; None: not known


def fits(
    model: OpenModel,
    config: BackendRuntimeConfig,
    placement: Placement,
    snapshot: ClusterSnapshot,
    now: datetime,
) -> tuple[Fit, ...] | Refusal:
    """Ask every node for each flavor of a model, in the order of the flavors and then by name."""
    made_up = Playground(
        metadata=ObjectMeta(name="fit", namespace="default"),
        spec=PlaygroundSpec(
            model_claim=ModelClaim(model_name=model.metadata.name),
            backend_runtime_config=config,
            placement=placement,
        ),
    )
    service = resolve(made_up, snapshot)
    if isinstance(service, Refusal):
        return service
    wanted = demand(service, snapshot.models, snapshot.runtimes)
    if isinstance(wanted, Refusal):
        return wanted
    views = node_views(snapshot, now)
    empty, full = Fleet(views), Fleet(views)
    for name, seats in sorted(snapshot.seats.items()):
        for seat in seats:
            full.take(name, needs_of(seat.engine), seat.engine.accelerators)
    return tuple(
        fit for option in wanted.options for fit in _of_flavor(option, empty=empty, full=full)
    )


def _of_flavor(option: Option, *, empty: Fleet, full: Fleet) -> Iterator[Fit]:
    selected = full.selected(option)
    for name, ledger in full.ledgers.items():
        short: str | None = (
            why_not(option, ledger) if option.worker is None else short_of(option, ledger)
        )
        verdict: Verdict = "no" if short else "fits"
        if name not in selected:
            wanted = ",".join(f"{key}={value}" for key, value in option.selector)
            short, verdict = f"is not labelled {wanted}", "no"
        elif not is_runnable(option):
            hosts = hosts_of(option.flavor)
            short = f"can't be one of {hosts} nodes: the BackendRuntime has no multiHostCommands"
            verdict = "no"
        elif short and why_not(option, empty.ledgers[name]) is None:
            verdict = "busy"
        yield Fit(
            flavor=option.flavor.name,
            node=name,
            verdict=verdict,
            short=short or "",
            accelerators=sum(option.needs.devices.values()),
            nodes=option.hosts,
            memory=option.memory,
        )
