"""Garbage: objects go when all their owners are gone, as a kube-controller-manager lets them go.

Three policies: background (the owner goes at once, its dependents after it), foreground (the
owner waits for dependents that block it) and orphan (dependents stay and lose the reference).
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.deletion import FOREGROUND, ORPHAN, Options, delete, without_finalizer
from llmaz.local.apiserver.metadata import meta, with_meta
from llmaz.local.apiserver.resource import Key
from llmaz.local.apiserver.versions import Event, Stored
from llmaz.local.objects.values import Object

Place = tuple[str, Key]


class Collector:
    """Knows who owns whom, and which objects have to be looked at again."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._places: dict[str, Place] = {}
        self._dependents: defaultdict[str, set[Place]] = defaultdict(set)
        self._owners: dict[Place, tuple[str, ...]] = {}
        self._to_check: set[Place] = set()

    def restart(self, everything: Iterable[Stored]) -> None:
        """Learn all objects anew, and check every one that owners or deletion concern."""
        self._places.clear()
        self._dependents.clear()
        self._owners.clear()
        for stored in everything:
            self._learn(stored)

    def observe(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.type == "DELETED":
                self._unlearn(event.now)
            else:
                self._learn(event.now)

    async def collect(self) -> None:
        """Do what the observed changes ask for."""
        while self._to_check:
            places, self._to_check = self._to_check, set()
            await asyncio.gather(*map(self._look_at, places))  # they share the disk's time

    async def _look_at(self, place: Place) -> None:
        stored = self._context.store.latest(*place)
        if stored is not None and not await self._finalized(stored, place):
            await self._check_owners(stored)

    def _learn(self, stored: Stored) -> None:
        place = (stored.resource, stored.key)
        self._places[meta(stored.obj)["uid"]] = place
        before, owners = self._owners.get(place, ()), _owner_uids(stored.obj)
        for uid in set(before) - set(owners):
            self._dependents[uid].discard(place)
            self._check_again(uid)
        for uid in owners:
            self._dependents[uid].add(place)
        if owners:
            self._owners[place] = owners
        else:
            self._owners.pop(place, None)
        if owners != before or _awaits_collector(stored.obj):
            self._to_check.add(place)

    def _unlearn(self, stored: Stored) -> None:
        place = (stored.resource, stored.key)
        uid = meta(stored.obj)["uid"]
        self._places.pop(uid, None)
        for owner in self._owners.pop(place, ()):
            self._dependents[owner].discard(place)
            self._check_again(owner)
        self._to_check |= self._dependents.pop(uid, set())

    def _check_again(self, uid: str) -> None:
        if uid in self._places:
            self._to_check.add(self._places[uid])

    async def _finalized(self, stored: Stored, place: Place) -> bool:
        """Work on an object that waits for the collector; say whether it did."""
        finalizers = meta(stored.obj).get("finalizers") or []
        if "deletionTimestamp" not in meta(stored.obj):
            return False
        dependents = self._dependents[meta(stored.obj)["uid"]] - {place}
        if ORPHAN in finalizers:
            for dependent in dependents:
                await self._drop_references(dependent, {meta(stored.obj)["uid"]})
            await without_finalizer(self._context, stored, ORPHAN)
            return True
        if FOREGROUND in finalizers:
            blocked = [item for item in dependents if self._blocks(item, meta(stored.obj)["uid"])]
            self._to_check |= {item for item in dependents if not self._is_going(item)}
            if not blocked:
                await without_finalizer(self._context, stored, FOREGROUND)
            return True
        return False

    async def _check_owners(self, stored: Stored) -> None:
        references = meta(stored.obj).get("ownerReferences") or []
        if not references or "deletionTimestamp" in meta(stored.obj):
            return
        solid = [item for item in references if self._is_solid(stored, item)]
        if solid:
            gone = {item["uid"] for item in references} - {item["uid"] for item in solid}
            if gone:
                await self._drop_references((stored.resource, stored.key), gone)
            return
        resource = self._context.registry.by_storage(stored.resource)
        if resource is not None:
            waiting = any(item["uid"] in self._places for item in references)
            dependents = self._dependents[meta(stored.obj)["uid"]]
            deeper = waiting and bool(dependents)
            if deeper and any(map(self._awaits_dependents, dependents)):
                await self._unblock(stored)  # a cycle: nobody in it could go first
            policy = "Foreground" if deeper else ""
            options = Options(uid=meta(stored.obj)["uid"], policy=policy)
            await delete(self._context, resource, stored.key, options)

    def _is_solid(self, stored: Stored, reference: Object) -> bool:
        """Say whether an owner keeps its dependent: it is there, and not to go after it.

        An owner that can't be looked for is not known to be gone: one of a kind that is not served,
        and one in a namespace for an object that is in none.
        """
        place = self._places.get(reference["uid"])
        if place is None:
            return not self._is_served(reference)
        if place[1][0] and place[1][0] != stored.key[0]:
            return not stored.key[0]
        owner = self._context.store.latest(*place)
        if owner is None or meta(owner.obj)["uid"] != reference["uid"]:
            return False
        finalizers = meta(owner.obj).get("finalizers") or []
        return not ("deletionTimestamp" in meta(owner.obj) and FOREGROUND in finalizers)

    def _is_served(self, reference: Object) -> bool:
        wanted = (reference["apiVersion"], reference["kind"])
        return any((item.api_version, item.kind) == wanted for item in self._context.registry)

    def _blocks(self, place: Place, owner: str) -> bool:
        stored = self._context.store.latest(*place)
        references = meta(stored.obj).get("ownerReferences") or [] if stored else []
        return any(item["uid"] == owner and item.get("blockOwnerDeletion") for item in references)

    def _awaits_dependents(self, place: Place) -> bool:
        stored = self._context.store.latest(*place)
        finalizers = meta(stored.obj).get("finalizers") or [] if stored else []
        return FOREGROUND in finalizers and self._is_going(place)

    async def _unblock(self, stored: Stored) -> None:
        """Let the owners of an object go before it."""
        references = [
            item | {"blockOwnerDeletion": False}
            for item in meta(stored.obj).get("ownerReferences") or []
        ]
        if references != meta(stored.obj)["ownerReferences"]:
            obj = with_meta(stored.obj, ownerReferences=references)
            await self._context.store.put(stored.resource, stored.key, obj)
        for item in references:
            self._check_again(item["uid"])

    def _is_going(self, place: Place) -> bool:
        stored = self._context.store.latest(*place)
        return stored is None or "deletionTimestamp" in meta(stored.obj)

    async def _drop_references(self, place: Place, uids: set[str]) -> None:
        stored = self._context.store.latest(*place)
        if stored is None:
            return
        references = meta(stored.obj).get("ownerReferences") or []
        kept = [item for item in references if item["uid"] not in uids]
        if len(kept) != len(references):
            obj = with_meta(stored.obj, ownerReferences=kept or None)
            await self._context.store.put(*place, obj)


def _owner_uids(obj: Object) -> tuple[str, ...]:
    return tuple(item["uid"] for item in meta(obj).get("ownerReferences") or [])


def _awaits_collector(obj: Object) -> bool:
    finalizers = meta(obj).get("finalizers") or []
    return "deletionTimestamp" in meta(obj) and (ORPHAN in finalizers or FOREGROUND in finalizers)
