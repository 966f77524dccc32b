"""The values of variables that an assignment only names: of Secrets and ConfigMaps."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from llmaz.agent.engines.errors import ReferenceNotFound
from llmaz.api.node import AssignedEngine


class Lookup(Protocol):
    """Where the values of variables come from that an assignment only names."""

    async def get_secret(self, namespace: str, name: str) -> Mapping[str, str]:
        """Raise ReferenceNotFound where there is none, EngineError where that is not known."""
        ...

    async def get_config_map(self, namespace: str, name: str) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What was found, by the objects' names."""

    secrets: Mapping[str, Mapping[str, str]] = field(repr=False)
    config_maps: Mapping[str, Mapping[str, str]]


async def references_of(engine: AssignedEngine, lookup: Lookup) -> References:
    """Read the objects that an engine's variables name, each once."""
    namespace = engine.id.partition("/")[0]
    secrets: dict[str, Mapping[str, str]] = {}
    config_maps: dict[str, Mapping[str, str]] = {}
    for variable in engine.env:
        source = variable.value_from
        if source and source.secret_key_ref and source.secret_key_ref.name not in secrets:
            name = source.secret_key_ref.name
            secrets[name] = await _found(lookup.get_secret(namespace, name))
        if (
            source
            and source.config_map_key_ref
            and source.config_map_key_ref.name not in config_maps
        ):
            name = source.config_map_key_ref.name
            config_maps[name] = await _found(lookup.get_config_map(namespace, name))
    return References(secrets=secrets, config_maps=config_maps)


async def _found(reading: Awaitable[Mapping[str, str]]) -> Mapping[str, str]:
    """Take what does not exist for empty: which variable misses it is told where it is used."""
    try:
        return await reading
    except ReferenceNotFound:
        return {}
