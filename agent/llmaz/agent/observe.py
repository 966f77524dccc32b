"""Takes one look at the node: the assignment, the devices, the models, the engines."""

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from llmaz.agent.accelerators.device import Sighting
from llmaz.agent.assignment import Assignment, Reading, Refusal, read_assignment
from llmaz.agent.cache.state import ModelSeen
from llmaz.agent.engines.state import EngineSeen, Environment
from llmaz.agent.kept import AssignmentFile
from llmaz.agent.slots.decide import SlotSeen
from llmaz.agent.state import NodeState
from llmaz.api.cache import CacheReport
from llmaz.api.incident import EngineIncident
from llmaz.api.manifest import Manifest
from llmaz.api.meta import Condition
from llmaz.api.node import AssignedEngine

logger = logging.getLogger(__name__)


class EnginesSeen(Protocol):
    """What tells of the engines."""

    async def observe(self) -> tuple[EngineSeen, ...]: ...

    def environments(self) -> Mapping[tuple[str, ...], Environment]: ...

    def slots(self, assigned: Collection[AssignedEngine]) -> Mapping[str, SlotSeen]: ...


class AssignmentWatch:
    """The last assignment that could be read, and the refusal of a later one."""

    def __init__(self, own_object: Callable[[], "Manifest | None"], file: AssignmentFile) -> None:
        self._own_object = own_object
        self._file = file
        self._assignment = self._load()
        self._refusal: Refusal | None = None
        self._last: Manifest | None = None

    def look(self) -> tuple[Assignment | None, Refusal | None]:
        """Read the object where it is another than before, and keep on the disk what it says."""
        manifest = self._own_object()
        if manifest is not None and manifest is not self._last:
            self._take(read_assignment(manifest))
            self._last = manifest
        return self._assignment, self._refusal

    def _take(self, reading: Reading) -> None:
        match reading:
            case Assignment():
                if reading != self._assignment:
                    self._keep(reading)
                self._assignment, self._refusal = reading, None
            case Refusal(message=message):
                if reading != self._refusal:
                    logger.error("assignment refused: %s", message)
                self._refusal = reading
            case None:
                self._refusal = None

    def _keep(self, assignment: Assignment) -> None:
        try:
            self._file.save(assignment)
        except OSError as error:  # a full disk: this agent goes on, its successor asks anew
            logger.error("the assignment can't be kept on the disk: %s", error)

    def _load(self) -> Assignment | None:
        try:
            return self._file.load()
        except (OSError, ValueError) as error:
            logger.warning("the last assignment can't be read from the disk: %s", error)
            return None


class Observer:
    """Composes one look from what each part knows."""

    def __init__(
        self,
        *,
        assignments: AssignmentWatch,
        engines: EnginesSeen,
        models: Callable[[], Mapping[str, ModelSeen]],
        sighting: Callable[[], Sighting],
        sharing_url: Callable[[], str] = str,
        cache: Callable[[], CacheReport | None] = lambda: None,
        distrusted: Callable[[], tuple[str, ...]] = tuple,
        incidents: Callable[[], tuple[EngineIncident, ...]] = tuple,
    ) -> None:
        self._assignments = assignments
        self._engines = engines
        self._models = models
        self._sighting = sighting
        self._sharing_url = sharing_url
        self._cache = cache
        self._distrusted = distrusted
        self._incidents = incidents
        self.conditions: tuple[Condition, ...] = ()  # as they were last reported

    async def look(self) -> NodeState:
        assignment, refusal = self._assignments.look()
        engines = await self._engines.observe()
        return NodeState(
            assignment=assignment,
            refusal=refusal,
            accelerators=self._sighting(),
            models=self._models(),
            engines=engines,
            environments=self._engines.environments(),
            slots=self._engines.slots(assignment.spec.engines if assignment else ()),
            sharing_url=self._sharing_url(),
            cache=self._cache(),
            distrusted=self._distrusted(),
            incidents=self._incidents(),
            conditions=self.conditions,
        )
