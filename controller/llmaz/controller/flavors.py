"""Which flavors a claim may use, in order of preference."""

from collections.abc import Mapping

from llmaz.api.claims import ModelClaims
from llmaz.api.openmodel import Flavor, OpenModel
from llmaz.controller.actions import Refusal

# A model without flavors runs wherever its cpu and memory fit. No flavor of a user has this name.
ANY = Flavor(name="any node")

_INSTANCE_TYPE = "node.kubernetes.io/instance-type"


def candidate_flavors(
    claims: ModelClaims, models: Mapping[str, OpenModel]
) -> tuple[Flavor, ...] | Refusal:
    """Return the flavors that the claim names, else all of the main model's."""
    config = models[claims.main].spec.inference_config
    if not claims.inference_flavors:
        return config.flavors or (ANY,)
    chosen = []
    for name in claims.inference_flavors:
        flavor = config.flavor(name)
        if flavor is None:
            known = ", ".join(flavor.name for flavor in config.flavors) or "none"
            return Refusal(
                reason="FlavorNotFound",
                message=f"OpenModel {claims.main} has no flavor {name}; it has {known}",
            )
        chosen.append(flavor)
    return tuple(chosen)


def selector_of(flavor: Flavor) -> dict[str, str]:
    """Return the labels of the nodes that have a flavor: its own, and its kind of machine."""
    machine = flavor.params.get("INSTANCE-TYPE")
    return {**({_INSTANCE_TYPE: machine} if machine else {}), **flavor.node_selector}


def hosts_of(flavor: Flavor) -> int:
    """Return on how many nodes one replica runs: the flavor's PP."""
    text = flavor.params.get("PP", "1")
    return int(text) if text.isdecimal() and int(text) > 0 else 1
