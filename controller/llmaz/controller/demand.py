"""An inference Service -> what each of its replicas needs of a node, per flavor, or a refusal.

The same for a Playground's Service and for one written by hand: only its pod templates count.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from llmaz.api import names
from llmaz.api.backendruntime import BackendRuntime
from llmaz.api.node import AssignedEngine, AssignedModel
from llmaz.api.openmodel import Flavor, OpenModel
from llmaz.api.placement import CapacityType, Toleration
from llmaz.api.pod import EnvVar, Resources
from llmaz.api.service import Service
from llmaz.controller.actions import Refusal
from llmaz.controller.flavors import candidate_flavors, hosts_of, selector_of
from llmaz.controller.memory import Estimate, Footprint, footprint
from llmaz.controller.merging import with_flavor_limits
from llmaz.controller.patterns import models_of, pattern_of
from llmaz.controller.priority import Priority, priority_of
from llmaz.controller.ranks import Spot, is_grouped, rank_env, rank_id, size_of, told_env
from llmaz.controller.rollout import most_surplus
from llmaz.controller.snapshot import PriorityClass
from llmaz.controller.supported import unsupported

Selector: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What one engine takes of a node."""

    cpu: Decimal = Decimal(0)
    memory: int = 0
    devices: Mapping[str, int] = field(default_factory=dict)  # extended resource -> count
    device_memory: int = 0  # bytes that each of the devices has to have
    device_taken: int = 0  # bytes of each that it takes at least
    device_percent: int = 0  # of the memory of each that it takes, whatever it needs; 0: unknown
    port: int | None = None
    tolerations: tuple[Toleration, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One flavor that a replica may get, and what it takes there."""

    flavor: Flavor
    resources: Resources
    env: tuple[EnvVar, ...]  # of the engine
    needs: Needs
    memory: Estimate | None = None  # of each of its accelerators; None: not known
    hosts: int = 1  # the nodes that it takes
    capacity: CapacityType | None = None  # of the machines; None: any
    selector: Selector = ()  # labels of the nodes that have the flavor
    worker: "Option | None" = None  # of a group: what it takes of each node but the leader's


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The replicas of one Service, all alike."""

    service: Service
    options: tuple[Option, ...]  # in order of preference
    pattern: AssignedEngine  # of the engines, but for what depends on the replica and its place
    models: tuple[AssignedModel, ...]  # that a node must hold for it
    worker: AssignedEngine | None = None  # the pattern of a group's workers, if it may be a group
    priority: Priority = Priority()  # noqa: RUF009  # a frozen value
    resting: int = 0  # replicas that stay, of a Service that asks for none: they sleep, or wake up

    @property
    def replicas(self) -> int:
        return self.service.spec.replicas or self.resting

    @property
    def prefix(self) -> str:
        """The id of a replica's engine is this and the replica's index."""
        return engine_prefix(self.service)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the engines of all replicas."""
        prefix = self.prefix
        return tuple([f"{prefix}{index}" for index in range(self.replicas)])

    @property
    def surplus_ids(self) -> tuple[str, ...]:
        """The ids of the engines that there may be besides while an update goes on.

        None at zero, where one may rest: it would be updated for ever, as nobody is ready there.
        """
        if not self.service.spec.replicas:
            return ()
        prefix, replicas = self.prefix, self.replicas
        surplus = range(replicas, replicas + most_surplus(self.service))
        return tuple([f"{prefix}{index}" for index in surplus])

    def options_of(self, id_: str) -> tuple[Option, ...]:
        """Return the options of one replica, in order of preference.

        They depend on its number where some replicas run on machines of another price than others.
        """
        wanted = self.service.spec.placement.capacity
        if wanted is None:
            return self.options
        if int(id_.removeprefix(self.prefix)) < wanted.base:
            return self._on(wanted.base_type)
        return (*self._on(wanted.surplus_type), *(self.options if wanted.spill else ()))

    def _on(self, capacity: CapacityType) -> tuple[Option, ...]:
        return tuple(_at(capacity, option) for option in self.options)

    def engine(
        self, id_: str, option: Option, accelerators: tuple[str, ...], epoch: int = 0
    ) -> AssignedEngine:
        """Return the engine of one replica as it is assigned to a node."""
        return dataclasses.replace(
            self.pattern,
            id=id_,
            accelerators=tuple(sorted(accelerators)),
            resources=option.resources,
            env=told_env(option.env, id_),
            epoch=epoch,
        )

    def group(
        self, id_: str, option: Option, spots: tuple[Spot, ...], epoch: int
    ) -> tuple[AssignedEngine, ...]:
        """Return the engines of one replica that is a group, the leader's first."""
        assert self.worker is not None
        assert option.worker is not None
        worker = option.worker
        return tuple(
            dataclasses.replace(
                self.worker if rank else self.pattern,
                id=rank_id(id_, rank),
                accelerators=tuple(sorted(spot.accelerators)),
                resources=(worker if rank else option).resources,
                env=rank_env((worker if rank else option).env, id_, rank, spots, epoch),
                rank=rank,
                epoch=epoch,
            )
            for rank, spot in enumerate(spots)
        )


def tolerations_of(service: Service) -> tuple[Toleration, ...]:
    """Return what a Service tolerates by its placement, and by its pod template."""
    template = service.spec.workload_template
    first = template.leader_template or template.worker_template
    return (*service.spec.placement.tolerations, *first.spec.tolerations)


def engine_prefix(service: Service) -> str:
    return f"{service.metadata.namespace}/{service.metadata.name}-"


def demand(
    service: Service,
    models: Mapping[str, OpenModel],
    runtimes: Mapping[str, BackendRuntime] = {},  # never written to
    classes: Mapping[str, PriorityClass] = {},  # never written to
) -> Demand | Refusal:
    """Return what the replicas of a Service need, or why they can't be run."""
    claims = service.spec.model_claims
    missing = next((ref.name for ref in claims.models if ref.name not in models), None)
    if missing is not None:
        return Refusal(reason="ModelNotFound", message=f"OpenModel {missing} does not exist")
    refusal = unsupported(service.spec.workload_template)
    if refusal is not None:
        return refusal
    flavors = candidate_flavors(claims, models)
    if isinstance(flavors, Refusal):
        return flavors
    priority = priority_of(service, classes)
    if isinstance(priority, Refusal):
        return priority
    template = service.spec.workload_template
    leader = (template.leader_template or template.worker_template).spec
    pattern = pattern_of(service, leader, models)
    memory = _footprint(service, pattern, models, runtimes)
    if isinstance(memory, Refusal):
        return memory
    worker = None
    if is_grouped(template):
        # A worker is asked nothing, and needs no port that others know.
        worker = dataclasses.replace(
            pattern_of(service, template.worker_template.spec, models),
            port=None,
            startup_probe=None,
            liveness_probe=None,
            readiness_probe=None,
        )
    return Demand(
        service=service,
        options=tuple(_choice(service, flavor, pattern, worker, memory) for flavor in flavors),
        pattern=pattern,
        models=models_of(service, leader, models),
        worker=worker,
        priority=priority,
    )


def _footprint(
    service: Service,
    pattern: AssignedEngine,
    models: Mapping[str, OpenModel],
    runtimes: Mapping[str, BackendRuntime],
) -> Footprint | Refusal:
    claims = service.spec.model_claims
    runtime = runtimes.get(pattern.runtime)
    drafts = [models[claims.draft]] if claims.draft else []
    return footprint(
        [models[claims.main], *drafts],
        runtime.spec.memory if runtime is not None else None,
        service.spec.placement.memory,
        (*pattern.command, *pattern.args),
    )


def _choice(
    service: Service,
    flavor: Flavor,
    pattern: AssignedEngine,
    worker: AssignedEngine | None,
    memory: Footprint,
) -> Option:
    """Return what a replica takes on this flavor: of one node, or of each node of a group."""
    hosts = size_of(service.spec.workload_template, flavor)
    tolerations = tolerations_of(service)
    option = _option(flavor, pattern, memory, hosts, tolerations)
    if worker is None:
        return option
    return dataclasses.replace(option, worker=_option(flavor, worker, memory, hosts, tolerations))


def _at(capacity: CapacityType, option: Option) -> Option:
    worker = dataclasses.replace(option.worker, capacity=capacity) if option.worker else None
    return dataclasses.replace(option, capacity=capacity, worker=worker)


def _option(
    flavor: Flavor,
    pattern: AssignedEngine,
    memory: Footprint,
    hosts: int,
    tolerations: tuple[Toleration, ...],
) -> Option:
    resources = with_flavor_limits(pattern.resources, flavor.limits)
    asked = {**resources.limits, **resources.requests}
    # An extended resource has a domain; cpu, memory and the like have none.
    devices = {name: int(count) for name, count in sorted(asked.items()) if "/" in name}
    estimate = memory.on(sum(devices.values()), hosts)
    return Option(
        flavor=flavor,
        selector=tuple(sorted(selector_of(flavor).items())),
        resources=resources,
        env=(*_parallelism(flavor), *pattern.env),
        needs=Needs(
            cpu=asked["cpu"].value if "cpu" in asked else Decimal(0),
            memory=int(asked["memory"]) if "memory" in asked else 0,
            devices=devices,
            device_memory=estimate.each if estimate is not None else 0,
            device_taken=estimate.taken if estimate is not None else 0,
            device_percent=memory.percent,
            port=pattern.port,
            tolerations=tolerations,
        ),
        memory=estimate,
        hosts=hosts,
    )


def _parallelism(flavor: Flavor) -> tuple[EnvVar, ...]:
    """Return TP and PP of the flavor as variables, where it says either."""
    if not ({"TP", "PP"} & set(flavor.params)):
        return ()
    return (
        EnvVar(name=names.TP, value=flavor.params.get("TP", "1")),
        EnvVar(name=names.PP, value=str(hosts_of(flavor))),
    )
