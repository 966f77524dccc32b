"""How many replicas a Playground shall have: a pure function of a series of looks at its load.

The same series always gives the same answer, so that a recorded one can be replayed. Load that is
not known never takes a replica away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, starmap
from math import ceil

from llmaz.api.scaling import ElasticConfig, LoadTargets
from llmaz.controller.scaling.load import EngineLoad, Sample

_LONGEST_GAP_SECONDS = (
    30.0  # looks that are further apart than this saw nothing of the time between
)
_UP_PERIOD_SECONDS = 15.0  # within which replicas at most double, or grow by this many
_UP_STEP = 4
_DOWN_PERIOD_SECONDS = 60.0  # within which at most half of the replicas go
_PROOF_TOKENS = 64  # that a request for one token takes at most, with the words around it
_PANIC_FACTOR = 2  # so many times the replicas are needed: more are made at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Between which numbers, and by what."""

    minimum: int
    maximum: int
    targets: LoadTargets
    only_to_zero: bool = False  # something else decides between 1 and the maximum
    sleeps: bool = False  # the last replica sleeps before it stops

    @classmethod
    def of(cls, elastic: ElasticConfig, *, only_to_zero: bool, sleeps: bool = False) -> "Policy":
        return cls(
            minimum=elastic.min_replicas,
            maximum=elastic.max_replicas,
            targets=elastic.load,
            only_to_zero=only_to_zero,
            sleeps=sleeps,
        )

    @property
    def rest_seconds(self) -> int:
        """After how long without a request the last replica is wanted no more."""
        asleep = self.targets.sleep_seconds if self.sleeps else None
        return self.targets.idle_seconds if asleep is None else asleep


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The replicas to have, and why: in one word, and in a sentence where that is a change."""

    replicas: int
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    """How many replicas a load takes, with a margin against more and one against fewer."""

    up: int
    down: int
    because: str


def decide(series: Sequence[Sample], policy: Policy) -> Decision:
    """Return the replicas to have after the last of the looks, which are in order of time."""
    last = series[-1]
    if last.replicas == 0 and policy.minimum == 0:
        return Decision(replicas=0, reason="ScaledToZero")
    if (idle := _idle(series, policy)) is not None:
        return idle
    if policy.only_to_zero:
        return Decision(replicas=last.replicas, reason="Steady")
    bounded = min(max(last.replicas, policy.minimum, 1), policy.maximum)
    if bounded != last.replicas:
        words = f"from {policy.minimum} to {policy.maximum} replicas are allowed"
        return Decision(replicas=bounded, reason="OutOfBounds", message=words)
    return _by_load(series, policy)


def _idle(series: Sequence[Sample], policy: Policy) -> Decision | None:
    """Return the decision to stop a Playground that did nothing for its idle time."""
    last, seconds = series[-1], policy.rest_seconds
    # What decides by load takes the replicas down to one first.
    if policy.minimum > 0 or (policy.only_to_zero and last.replicas != 1):
        return None
    window = _window(series, seconds)
    if window is None or not all(one.is_complete for one in window):
        return None
    first = window[0]
    if first.running or first.waiting or not all(starmap(_did_nothing, pairwise(window))):
        return None
    words = f"no request for {seconds} seconds"
    return Decision(replicas=0, reason="Sleep" if policy.sleeps else "Idle", message=words)


def _did_nothing(old: Sample, new: Sample) -> bool:
    """Tell whether nobody used the engines between two looks: proofs of life are no use."""
    if old.engines.keys() != new.engines.keys():
        return False
    return all(_rested(engine, new.engines[id_]) for id_, engine in old.engines.items())


def _rested(old: EngineLoad, new: EngineLoad) -> bool:
    in_flight, tokens = new.running + new.waiting, new.tokens - old.tokens
    if new.proofs > old.proofs:
        return in_flight <= 1 and 0 <= tokens <= _PROOF_TOKENS
    return in_flight == 0 and tokens == 0


def _by_load(series: Sequence[Sample], policy: Policy) -> Decision:
    last, targets = series[-1], policy.targets
    needs = _needs(series, policy)
    now = needs[-1]
    if now is None:
        return Decision(replicas=last.replicas, reason="LoadUnknown")
    floor, ceiling = max(1, policy.minimum), policy.maximum
    # The least that was needed all along: a peak that passes makes nothing.
    lasting = _over(series, needs, targets.scale_up_seconds)
    up = min(need.up for need in lasting) if lasting is not None else last.replicas
    if now.up >= _PANIC_FACTOR * last.replicas and _has_lasted(needs):
        up = now.up
    up = min(up, _fastest_growth(series), ceiling)
    if up > last.replicas:
        return Decision(replicas=up, reason="Load", message=now.because)
    # The most that was needed at any time: what was needed a while ago may be needed again.
    settled = _over(series, needs, targets.scale_down_seconds, complete=True)
    if settled is None:
        return Decision(replicas=last.replicas, reason="Steady")
    down = max(*(need.down for need in settled), _fastest_shrinking(series), floor)
    if down < last.replicas:
        return Decision(replicas=down, reason="Load", message=now.because)
    return Decision(replicas=last.replicas, reason="Steady")


def _has_lasted(needs: Sequence[_Need | None]) -> bool:
    """Tell whether the look before the last one saw something to do as well."""
    before = needs[-2] if len(needs) > 1 else None
    return before is not None and before.up > 1


def _needs(series: Sequence[Sample], policy: Policy) -> list[_Need | None]:
    capacity = _capacity(series)
    before = (None, *series[:-1])
    return [
        _need(sample, _tokens_a_second(old, sample), capacity, policy)
        for old, sample in zip(before, series, strict=True)
    ]


def _need(
    sample: Sample, tokens: float | None, capacity: float | None, policy: Policy
) -> _Need | None:
    """Return what one look asks for: the most of what each of the signals does."""
    known = len(sample.engines)
    if not known:
        return None
    targets = policy.targets
    wants = [(0.0, "nothing is asked")]
    waiting = sample.waiting if sample.waiting > targets.waiting_requests * known else 0.0
    asked = sample.running + waiting
    if capacity is not None:
        words = f"{sample.running:g} requests run and {sample.waiting:g} wait"
        wants.append((asked / capacity, f"{words}, a replica runs {capacity:g} at once"))
    elif asked:
        # No engine was ever full: what runs fits into what there is, and maybe into no less.
        wants.append((known, f"{sample.running:g} requests run"))
    if sample.kv_cache is not None:
        share = 100 * sample.kv_cache
        want = known * share / targets.kv_cache_percent
        wants.append((want, f"{share:.0f} % of the KV cache is in use"))
    if tokens is not None and targets.tokens_per_second is not None:
        wants.append((tokens / targets.tokens_per_second, f"{tokens:.0f} tokens a second"))
    most, because = max(wants)
    margin = 1 + targets.tolerance_percent / 100
    return _Need(up=max(1, ceil(most / margin)), down=max(1, ceil(most * margin)), because=because)


def _capacity(series: Sequence[Sample]) -> float | None:
    """Return how many requests an engine runs at once: as many as it ran while others waited."""
    full = [
        engine.running
        for sample in series
        for engine in sample.engines.values()
        if engine.waiting > 0
    ]
    return max(1.0, *full) if full else None


def _tokens_a_second(old: Sample | None, new: Sample) -> float | None:
    """Return the rate between two looks, over the engines that both saw; None if none."""
    if old is None or new.at <= old.at:
        return None
    both = old.engines.keys() & new.engines.keys()
    # An engine that started anew counts from zero.
    grown = [max(0.0, new.engines[id_].tokens - old.engines[id_].tokens) for id_ in both]
    return sum(grown) / (new.at - old.at) if both else None


def _over(
    series: Sequence[Sample],
    needs: Sequence[_Need | None],
    seconds: float,
    *,
    complete: bool = False,
) -> list[_Need] | None:
    """Return the needs of the last seconds; None where they are not known for all of the time."""
    window = _window(series, seconds)
    if window is None or (complete and not all(one.is_complete for one in window)):
        return None
    told = [need for need in needs[-len(window) :] if need is not None]
    return told if len(told) == len(window) else None


def _window(series: Sequence[Sample], seconds: float) -> Sequence[Sample] | None:
    """Return the looks that cover the last seconds, None where there is a gap in them."""
    since = series[-1].at - seconds
    first = next((i for i in reversed(range(len(series))) if series[i].at <= since), None)
    if first is None:
        return None
    window = series[first:]
    gaps = (new.at - old.at for old, new in pairwise(window))
    return None if any(gap > _LONGEST_GAP_SECONDS for gap in gaps) else window


def _recent(series: Sequence[Sample], seconds: float) -> list[int]:
    return [one.replicas for one in series if one.at >= series[-1].at - seconds]


def _fastest_growth(series: Sequence[Sample]) -> int:
    fewest = min(_recent(series, _UP_PERIOD_SECONDS))
    return max(2 * fewest, fewest + _UP_STEP)


def _fastest_shrinking(series: Sequence[Sample]) -> int:
    most = max(_recent(series, _DOWN_PERIOD_SECONDS))
    return most - max(1, most // 2)
