"""How the simulated server merges what is applied: as the embedded API server does, or quicker.

`quickly` gives the same objects where the controller is the only one that applies: it needs no
record of who owns which field, which is what takes nearly all of the time. A test compares the two
over whole histories.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

import yaml

from llmaz.api import names
from llmaz.api.manifest import Manifest
from llmaz.local.objects.apply import server_side_apply
from llmaz.local.objects.values import Schema

_CRDS = Path(__file__).parents[3] / "charts" / "llmaz" / "crds"
_SERVERS_OWN = frozenset({"uid", "resourceVersion", "generation", "managedFields"})


class Merge(Protocol):
    """Returns the live object after `config` was applied; `last` is what was applied before."""

    def __call__(
        self,
        live: "Manifest | None",
        last: Manifest,
        config: Manifest,
        *,
        subresource: str,
        now: datetime,
    ) -> dict[str, Any]: ...


def as_embedded(
    live: "Manifest | None", last: Manifest, config: Manifest, *, subresource: str, now: datetime
) -> dict[str, Any]:
    """Merge by the embedded API server's own code, which keeps a record of who owns what."""
    group = str(config["apiVersion"]).rpartition("/")[0]
    return server_side_apply(
        live,
        cast("Any", config),
        manager=names.CONTROLLER,
        force=True,
        subresource=subresource,
        schema=_schemas().get(f"{group}/{config['kind']}"),
        now=now,
        drop=() if subresource else ("status",),
    )


def quickly(
    live: "Manifest | None", last: Manifest, config: Manifest, *, subresource: str, now: datetime
) -> dict[str, Any]:
    """Set what is applied, and take back what was applied before and is not now."""
    written = _written(config, subresource)
    return _merged(live or {}, _written(last, subresource), written)


def _written(config: Manifest, subresource: str) -> dict[str, Any]:
    """Return the part of what is applied that the request may write."""
    if subresource:
        return {subresource: config[subresource]} if subresource in config else {}
    metadata = cast("Manifest", config.get("metadata", {}))
    own = {key: value for key, value in metadata.items() if key not in _SERVERS_OWN}
    return {key: value for key, value in config.items() if key != "status"} | {"metadata": own}


def _merged(
    live: Mapping[str, Any], last: Mapping[str, Any], new: Mapping[str, Any]
) -> dict[str, Any]:
    kept = {key: value for key, value in live.items() if key in new or key not in last}
    for key, applied in new.items():
        there, before = kept.get(key), last.get(key)
        if applied == [] and there:  # the last item of a list takes the list away with it
            del kept[key]
        elif isinstance(applied, dict) and isinstance(there, dict):
            kept[key] = _merged(there, before if isinstance(before, dict) else {}, applied)
        else:
            kept[key] = applied
    return kept


@cache
def _schemas() -> dict[str, Schema]:
    """Return the schemas of our kinds, by group and kind."""
    crds = [crd for path in _CRDS.glob("*.yaml") for crd in yaml.safe_load_all(path.read_text())]
    return {
        f"{crd['spec']['group']}/{crd['spec']['names']['kind']}": crd["spec"]["versions"][0][
            "schema"
        ]["openAPIV3Schema"]
        for crd in crds
    }
