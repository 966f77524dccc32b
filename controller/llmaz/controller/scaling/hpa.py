"""HorizontalPodAutoscalers of Playgrounds that name one: made, kept, and taken away. Pure."""

from collections.abc import Iterator
from typing import cast

from llmaz.api import names
from llmaz.api.kinds import HORIZONTAL_POD_AUTOSCALER, PLAYGROUND
from llmaz.api.manifest import Json, Manifest
from llmaz.api.openmodel import Flavor
from llmaz.api.playground import Playground
from llmaz.api.scaling import HpaTrigger
from llmaz.controller.actions import ApplyOwned, DeleteOwned, Refusal
from llmaz.controller.flavors import candidate_flavors
from llmaz.controller.owned import ensure, owner_of, reference, uid_of
from llmaz.controller.resolve import config_name
from llmaz.controller.snapshot import ClusterSnapshot, Ref


def hpa_rules(playground: Playground, snapshot: ClusterSnapshot) -> HpaTrigger | None:
    """Return the rules in force: the Playground's own before those of its configuration."""
    elastic = playground.spec.elastic_config
    if elastic is None:
        return None
    if elastic.scale_trigger is not None:
        return elastic.scale_trigger.hpa
    runtime = snapshot.runtimes.get(playground.spec.backend_runtime_config.backend_name)
    if runtime is None:
        return None
    if elastic.scale_trigger_ref is not None:
        name = elastic.scale_trigger_ref.name
        triggers = runtime.spec.scale_triggers
        return next((one.hpa for one in triggers if one.name == name), None)
    flavors = _flavors(playground, snapshot)
    config = runtime.spec.config(config_name(playground, runtime.spec, flavors))
    return config.scale_trigger.hpa if config and config.scale_trigger else None


def _flavors(playground: Playground, snapshot: ClusterSnapshot) -> tuple[Flavor, ...]:
    """Return the flavors that a Playground may use, as far as its model is there to tell."""
    claims = playground.spec.claims
    if claims.main not in snapshot.models:
        return ()
    flavors = candidate_flavors(claims, snapshot.models)
    return () if isinstance(flavors, Refusal) else flavors


def autoscalers(snapshot: ClusterSnapshot) -> Iterator[ApplyOwned | DeleteOwned]:
    """Yield the writes that make the HorizontalPodAutoscalers those that are asked for."""
    wanted = {}
    for (namespace, name), playground in sorted(snapshot.playgrounds.items()):
        rules = hpa_rules(playground, snapshot)
        if rules is not None and playground.metadata.deletion_timestamp is None:
            ref = Ref(kind=HORIZONTAL_POD_AUTOSCALER, namespace=namespace, name=name)
            wanted[ref] = _manifest(playground, rules)
    seen = {r: m for r, m in snapshot.manifests.items() if r.kind == HORIZONTAL_POD_AUTOSCALER}
    for ref, asked in wanted.items():
        write = ensure(ref, asked, seen.get(ref))
        if write is not None:
            yield write
    for ref, manifest in sorted(seen.items(), key=lambda item: item[0].key):
        owner = snapshot.playgrounds.get(ref.key)
        # Without its Playground the garbage collector takes it.
        ours = owner is not None and owner_of(manifest) == owner.metadata.uid
        if ours and ref not in wanted:
            yield DeleteOwned(ref=ref, uid=uid_of(manifest))


def _manifest(playground: Playground, rules: HpaTrigger) -> Manifest:
    meta, elastic = playground.metadata, playground.spec.elastic_config
    assert elastic is not None  # what has rules has an elasticConfig
    target: Manifest = {
        "apiVersion": PLAYGROUND.api_version,
        "kind": PLAYGROUND.kind,
        "name": meta.name,
    }
    spec: Manifest = {
        "scaleTargetRef": target,
        # None is made for zero replicas: a HorizontalPodAutoscaler rests while there are none.
        "minReplicas": max(1, elastic.min_replicas),
        "maxReplicas": elastic.max_replicas,
        "metrics": [cast("Json", dict(metric)) for metric in rules.metrics],
    }
    if rules.behavior is not None:
        spec["behavior"] = cast("Json", dict(rules.behavior))
    metadata: Manifest = {
        "name": meta.name,
        "namespace": meta.namespace or "",
        "labels": {
            "app.kubernetes.io/managed-by": names.CONTROLLER,
            names.PLAYGROUND_NAME: meta.name,
        },
        "ownerReferences": [reference(PLAYGROUND, meta)],
    }
    return {"metadata": metadata, "spec": spec}
