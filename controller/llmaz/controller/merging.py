"""How a Playground's words are laid over its BackendRuntime's: upstream's rules, stable order."""

from collections.abc import Mapping, Sequence

from llmaz.api.pod import EnvVar, Resources
from llmaz.api.quantity import Quantity


def merged_envs(base: Sequence[EnvVar], over: Sequence[EnvVar]) -> tuple[EnvVar, ...]:
    """Return the variables of both, by name; `over` wins, and each keeps its first place.

    The order is part of the meaning: $(OTHER) refers to a variable above.
    """
    by_name: dict[str, EnvVar] = {}
    for env in (*base, *over):
        by_name[env.name] = env
    return tuple(by_name.values())


def merged_resources(base: Resources | None, over: Resources) -> Resources:
    """Return both by resource name, `over` winning.

    Where `over` says anything, a limit of cpu or memory that is missing or below its request is
    lifted to it.
    """
    base = base or Resources()
    requests = {**base.requests, **over.requests}
    limits = {**base.limits, **over.limits}
    if over.requests or over.limits:
        for name in ("cpu", "memory"):
            if name in requests and (name not in limits or limits[name] < requests[name]):
                limits[name] = requests[name]
    return Resources(limits=limits, requests=requests)


def with_flavor_limits(resources: Resources, limits: Mapping[str, Quantity]) -> Resources:
    """Return the resources with a flavor's limits, which are requests as well and always win."""
    return Resources(
        limits={**resources.limits, **limits}, requests={**resources.requests, **limits}
    )
