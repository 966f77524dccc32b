"""One controller acts at a time: whoever holds the Lease `llmaz-controller`."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import cast

from llmaz.api.kinds import LEASE, NAMESPACE
from llmaz.api.manifest import Manifest, decode
from llmaz.api.names import CONTROLLER, SYSTEM_NAMESPACE
from llmaz.kube import AlreadyExists, Conflict, Kube, KubeError, NotFound

logger = logging.getLogger(__name__)

# A standby takes over within 20 s of a leader's death, also where everything takes its time.
DURATION_SECONDS = 12
RENEW_SECONDS = 4.0
RETRY_SECONDS = 1.0
# An answer that is late may never come: there is time for a second try before the Lease runs out.
ATTEMPT_SECONDS = 5.0


def may_take(lease: Manifest, identity: str, now: datetime) -> bool:
    """Tell whether a Lease is ours, was given up, or has run out."""
    spec = cast("Manifest", lease.get("spec") or {})
    holder = spec.get("holderIdentity")
    if not holder or holder == identity or not spec.get("renewTime"):
        return True
    seconds = spec.get("leaseDurationSeconds")
    duration = timedelta(seconds=seconds if isinstance(seconds, int) else DURATION_SECONDS)
    return decode(datetime, spec["renewTime"]) + duration < now


def taken(lease: Manifest, identity: str, now: datetime) -> Manifest:
    """Return the Lease as held by `identity` from now on."""
    moment = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = cast("Manifest", lease.get("spec") or {})
    changes = spec.get("leaseTransitions")
    count = changes if isinstance(changes, int) else 0
    mine = spec.get("holderIdentity") == identity
    new: Manifest = {
        "holderIdentity": identity,
        "leaseDurationSeconds": DURATION_SECONDS,
        "renewTime": moment,
        "acquireTime": spec.get("acquireTime") if mine else moment,
        "leaseTransitions": count if mine else count + 1,
    }
    return {**lease, "spec": new}


class Leadership:
    """Holds the Lease while it can. `changed` is set when that turns.

    `begin` is called before each time that it begins to hold it: what was heard until then may be
    older than what the last leader did.
    """

    def __init__(
        self, kube: Kube, identity: str, changed: asyncio.Event, begin: Callable[[], None]
    ) -> None:
        self._kube = kube
        self._identity = identity
        self._changed = changed
        self._begin = begin
        self._until = 0.0  # of the monotonic clock: a wall clock may be set back
        self._held: Manifest | None = None

    @property
    def is_held(self) -> bool:
        """Whether nobody else can hold the Lease now, even if the API server is away."""
        return self.seconds_left > 0

    @property
    def seconds_left(self) -> float:
        """For how long nobody else can hold the Lease: a write that takes longer is given up."""
        return self._until - time.monotonic()

    async def run(self) -> None:
        led = False
        while True:
            led = self._turned(led)  # a process that was halted wakes up after its Lease ran out
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    held = await self._renew()
            except (KubeError, TimeoutError) as error:
                words = str(error) or f"no answer in {ATTEMPT_SECONDS:.0f} s"
                logger.warning("Lease %s not renewed: %s", CONTROLLER, words)
                held = False
            led = self._turned(led)
            await asyncio.sleep(RENEW_SECONDS if held else RETRY_SECONDS)

    def _turned(self, led: bool) -> bool:
        """Tell if it holds the Lease otherwise than it did, and return whether it holds it."""
        leads = self.is_held
        if leads != led:
            logger.info("leading as %s" if leads else "standing by as %s", self._identity)
            self._changed.set()
        return leads

    async def give_up(self) -> None:
        """Let the next controller start at once."""
        if self._held is None or not self.is_held:
            return
        self._until = 0.0
        spec = cast("Manifest", self._held["spec"])
        try:
            await self._kube.replace(LEASE, {**self._held, "spec": {**spec, "holderIdentity": ""}})
        except KubeError as error:
            logger.info("Lease %s not given up: %s", CONTROLLER, error)

    async def _renew(self) -> bool:
        now, begun = datetime.now(UTC), time.monotonic()
        # Nobody else writes it while it is held: one request does, as a rule.
        lease = self._held if self.is_held and self._held is not None else await self._seen()
        if not may_take(lease, self._identity, now):
            return False
        try:
            self._held = await self._kube.replace(LEASE, taken(lease, self._identity, now))
        except (Conflict, NotFound):
            self._held = None
            return False
        if not self.is_held:
            self._begin()
        # A second less than the Lease says, for the way of the last action that relies on it.
        self._until = begun + DURATION_SECONDS - 1
        return True

    async def _seen(self) -> Manifest:
        try:
            return await self._kube.get(LEASE, CONTROLLER, SYSTEM_NAMESPACE)
        except NotFound:
            return await self._create()

    async def _create(self) -> Manifest:
        metadata: Manifest = {"name": CONTROLLER, "namespace": SYSTEM_NAMESPACE}
        try:
            return await self._kube.create(LEASE, {"metadata": metadata, "spec": {}})
        except NotFound:
            await self._create_namespace()
            return await self._kube.create(LEASE, {"metadata": metadata, "spec": {}})

    async def _create_namespace(self) -> None:
        try:
            await self._kube.create(NAMESPACE, {"metadata": {"name": SYSTEM_NAMESPACE}})
        except AlreadyExists:
            logger.debug("namespace %s is there", SYSTEM_NAMESPACE)
