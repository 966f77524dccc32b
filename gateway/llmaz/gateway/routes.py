"""Which names are served, and by which engines: read from Playgrounds and EndpointSlices."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from llmaz.api.names import MODEL_NAME, PLAYGROUND_NAME, SERVICE_NAME
from llmaz.api.openmodel import OpenModel
from llmaz.gateway.objects import EndpointSlice, Playground

_HTTP = "http"


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """Where one engine listens."""

    address: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One Playground, or one Service without a Playground: a model and its ready engines."""

    name: str  # namespace/name
    model: str  # the OpenModel's name
    endpoints: tuple[Endpoint, ...] = ()
    created_at: datetime | None = None
    waits_because: str = ""
    wakes: bool = False  # it comes back from zero replicas for a request
    replicas: int = 1  # that are asked for
    version: str = ""  # of the Playground that says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What an OpenModel says of where its model comes from."""

    owned_by: str = "llmaz"
    created_at: datetime | None = None

    @classmethod
    def of(cls, model: OpenModel) -> "Origin":
        since = model.spec.created_at or model.metadata.creation_timestamp
        return cls(owned_by=model.spec.owned_by, created_at=since)


@dataclass(frozen=True, slots=True)
class Route:
    """A name that is served, and who may answer."""

    model: str  # the OpenModel's name
    served: tuple[Served, ...]
    engine_name: str  # under which the engines list the model

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return tuple(endpoint for one in self.served for endpoint in one.endpoints)

    @property
    def wakes(self) -> bool:
        """Whether waiting for an engine makes sense."""
        return any(one.wakes for one in self.served)

    @property
    def asleep(self) -> Served | None:
        """The Playground to wake, where none that could answer is wanted already."""
        sleepers = [one for one in self.served if one.wakes]
        if any(one.replicas for one in sleepers):
            return None
        return next(iter(sleepers), None)

    @property
    def waits_because(self) -> str:
        """Why no endpoint is ready, a clause for each Playground."""
        return "; ".join(f"{one.name}: {one.waits_because}" for one in self.served)


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A name that nothing serves, and those that are served."""

    known: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AmbiguousName:
    """A Playground's name that several namespaces have."""

    candidates: tuple[str, ...]


@dataclass(frozen=True)  # without slots, which leave no place for what is worked out once
class Table:
    """Everything that is served, sorted by name."""

    served: tuple[Served, ...] = ()
    engine_names: Mapping[str, str] = field(default_factory=dict)  # where not the OpenModel's own
    origins: Mapping[str, Origin] = field(default_factory=dict)  # by the OpenModel's name

    @cached_property
    def models(self) -> Mapping[str, tuple[Served, ...]]:
        """What serves each model, by the OpenModel's name."""
        found: dict[str, list[Served]] = {}
        for one in self.served:
            if one.model:
                found.setdefault(one.model, []).append(one)
        return {name: tuple(found[name]) for name in sorted(found)}

    def find(self, name: str) -> Route | UnknownName | AmbiguousName:
        """Look a request's `model` up.

        An OpenModel's name means all that serve it; `namespace/playground` means that one alone,
        and so does a Playground's bare name where only one namespace has it. The model's name wins.
        """
        models = self.models
        if name in models:
            return self._route(name, models[name])
        matches = [one for one in self.served if name in (one.name, one.name.partition("/")[2])]
        if not matches:
            return UnknownName(tuple(models))
        if len(matches) > 1:
            return AmbiguousName(tuple(one.name for one in matches))
        return self._route(matches[0].model, tuple(matches))

    def origin(self, model: str) -> Origin:
        """Return where a model comes from, by the OpenModel's name."""
        return self.origins.get(model, Origin())

    def _route(self, model: str, served: tuple[Served, ...]) -> Route:
        return Route(model, served, self.engine_names.get(model, model))


def table(
    playgrounds: Collection[Playground],
    slices: Collection[EndpointSlice],
    catalogue: Collection[OpenModel] = (),
) -> Table:
    """Join Playgrounds with the ready endpoints of their engines.

    A slice belongs to its Playground, or to a Service that somebody made without one.
    The catalogue has the names that engines give to models, and where those come from.
    """
    endpoints: dict[str, list[Endpoint]] = {}
    models: dict[str, str] = {}
    for one in slices:
        owner = one.metadata.labels.get(PLAYGROUND_NAME) or one.metadata.labels.get(SERVICE_NAME)
        if not owner:
            continue
        name = f"{one.metadata.namespace}/{owner}"
        endpoints.setdefault(name, []).extend(_ready(one))
        models[name] = one.metadata.labels.get(MODEL_NAME, "")
    served = {
        name: Served(name=name, model=model, endpoints=tuple(sorted(endpoints[name])))
        for name, model in models.items()
    }
    for playground in playgrounds:
        name = f"{playground.metadata.namespace}/{playground.metadata.name}"
        served[name] = Served(
            name=name,
            model=playground.model,
            endpoints=tuple(sorted(endpoints.get(name, ()))),
            created_at=playground.metadata.creation_timestamp,
            waits_because=playground.waits_because,
            wakes=playground.wakes,
            replicas=playground.spec.replicas,
            version=playground.metadata.resource_version,
        )
    return Table(
        tuple(served[name] for name in sorted(served)),
        {model.metadata.name: model.served_name for model in catalogue},
        {model.metadata.name: Origin.of(model) for model in catalogue},
    )


def _ready(one: EndpointSlice) -> list[Endpoint]:
    ports = [port.port for port in one.ports if port.name in ("", _HTTP) and port.port]
    return [
        Endpoint(address, port)
        for endpoint in one.endpoints
        if endpoint.conditions.ready
        for address in endpoint.addresses[:1]
        for port in ports[:1]
    ]
