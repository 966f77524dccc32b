"""The pods of one replica: those that are as they shall be, and all that is to go. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmaz.controller.slots.attempts import Attempt
from llmaz.controller.slots.pod import SlotPod


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One replica's pods. Its members are those of its attempt, by rank."""

    replica: str
    attempt: int
    size: int
    current: Mapping[int, SlotPod]
    outdated: tuple[SlotPod, ...] = ()  # that live, of another image, count or flavor
    surplus: tuple[SlotPod, ...] = ()  # that live, of a former attempt or twice the same
    ended: tuple[SlotPod, ...] = ()
    leaving: tuple[SlotPod, ...] = ()
    uids: frozenset[str] = frozenset()  # of all of them

    @property
    def is_whole(self) -> bool:
        return len(self.current) == self.size

    @property
    def is_bound(self) -> bool:
        """Whether every member has a node; those of a group tell each other their addresses."""
        members = self.current.values()
        return self.is_whole and all(pod.node and (pod.ip or self.size == 1) for pod in members)

    @property
    def fits_nowhere(self) -> bool:
        """Whether the scheduler finds no node for what is to be the first pod to be bound."""
        is_first = not (self.outdated or self.leaving)
        return is_first and any(pod.unschedulable and not pod.node for pod in self.current.values())

    def before(self, rank: int) -> SlotPod | None:
        """Return the pod that a member comes after: the newest of those that are over."""
        over = (*self.outdated, *self.ended, *self.leaving)
        return max(
            (pod for pod in over if pod.rank == rank),
            key=lambda pod: (pod.created, pod.name),
            default=None,
        )


def unit_of(replica: str, pods: Sequence[SlotPod], attempts: Sequence[Attempt]) -> Unit:
    """Sort a replica's pods. The last attempt counts; of two pods for one place a bound one."""
    mine = [pod for pod in pods if pod.replica == replica]
    living = [pod for pod in mine if pod.lives]
    keys = {attempt.key: index for index, attempt in enumerate(attempts)}
    fitting = [pod for pod in living if keys.get(pod.key) == pod.attempt % len(attempts)]
    over = [pod for pod in mine if not pod.lives and pod.key in keys]
    last = max((pod.attempt for pod in fitting or over), default=0)
    current: dict[int, SlotPod] = {}
    size = attempts[last % len(attempts)].size
    for pod in sorted(fitting, key=lambda pod: (not pod.node, pod.created, pod.name)):
        if pod.attempt == last and pod.rank < size:
            current.setdefault(pod.rank, pod)
    chosen = {pod.uid for pod in current.values()}
    fits = {pod.uid for pod in fitting}
    return Unit(
        replica=replica,
        attempt=last,
        size=size,
        current=current,
        outdated=tuple(pod for pod in living if pod.uid not in fits),
        surplus=tuple(pod for pod in fitting if pod.uid not in chosen),
        ended=tuple(pod for pod in mine if pod.ended is not None and not pod.is_ending),
        leaving=tuple(pod for pod in mine if pod.is_ending),
        uids=frozenset(pod.uid for pod in mine),
    )
