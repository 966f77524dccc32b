"""How many replicas a load asks for: each test states the looks, and what is decided of them."""

import dataclasses
import io
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.api.scaling import ElasticConfig, LoadTargets
from llmaz.controller.scaling import record
from llmaz.controller.scaling.decide import Decision, Policy, decide
from llmaz.controller.scaling.load import EngineLoad, Sample, read_loads
from llmaz.controller.scaling.series import Series

TARGETS = LoadTargets(scale_up_seconds=10, scale_down_seconds=60, idle_seconds=120)
POLICY = Policy(minimum=1, maximum=8, targets=TARGETS)
TO_ZERO = Policy(minimum=0, maximum=8, targets=TARGETS)
STEP = 5.0
BUSY = EngineLoad(running=4)
FULL = EngineLoad(running=4, waiting=4)
IDLE = EngineLoad(running=0)


def look(*engines: EngineLoad, replicas: int | None = None, serving: int | None = None) -> Sample:
    known = {f"default/chat-{index}": engine for index, engine in enumerate(engines)}
    wanted = len(engines) if replicas is None else replicas
    return Sample(
        at=0, replicas=wanted, serving=len(engines) if serving is None else serving, engines=known
    )


def looks(one: Sample, seconds: float) -> list[Sample]:
    return [one] * (int(seconds / STEP) + 1)


def decided(policy: Policy, *samples: Iterable[Sample]) -> Decision:
    """Decide at the end of looks that came every five seconds."""
    series = Series()
    flat = [one for part in samples for one in part]
    for index, one in enumerate(flat):
        at = index * STEP
        series.add(
            Sample(at=at, replicas=one.replicas, serving=one.serving, engines=one.engines), policy
        )
    return decide(series.samples, policy)


def test_what_waits_makes_replicas_once_it_has_lasted() -> None:
    assert decided(POLICY, looks(look(BUSY, BUSY), 60), [look(FULL, BUSY)]).replicas == 2
    lasting = decided(POLICY, looks(look(BUSY, BUSY), 60), looks(look(FULL, BUSY), 10))
    assert (lasting.replicas, lasting.reason) == (3, "Load")
    assert lasting.message == "8 requests run and 4 wait, a replica runs 4 at once"


def test_a_peak_that_passes_makes_nothing() -> None:
    peak = [look(FULL, BUSY), look(BUSY, BUSY)]
    assert decided(POLICY, looks(look(BUSY, BUSY), 60), peak, peak, peak).replicas == 2


def test_twice_what_there_is_makes_replicas_at_once() -> None:
    flood = look(EngineLoad(running=4, waiting=40))
    assert decided(POLICY, looks(look(BUSY), 30), [flood, flood]).replicas == 5


def test_a_flood_never_passes_the_maximum() -> None:
    flood = look(*[EngineLoad(running=4, waiting=900)] * 6)
    assert decided(POLICY, looks(flood, 60)).replicas == POLICY.maximum


def test_growth_is_bounded_within_fifteen_seconds() -> None:
    flood = look(EngineLoad(running=1, waiting=90))
    assert decided(Policy(minimum=1, maximum=90, targets=TARGETS), looks(flood, 30)).replicas == 5


def test_replicas_that_still_start_are_counted() -> None:
    starting = look(FULL, replicas=2, serving=1)
    assert decided(POLICY, looks(starting, 60)).replicas == 2


def test_a_full_cache_makes_replicas() -> None:
    full = EngineLoad(running=4, kv_cache=1.0)
    assert decided(POLICY, looks(look(full, full), 30)).replicas == 3


def test_tokens_make_replicas_where_a_target_is_set() -> None:
    targets = LoadTargets(tokens_per_second=100)
    policy = Policy(minimum=1, maximum=8, targets=targets)
    series = [
        Sample(at=at, replicas=1, serving=1, engines={"a": EngineLoad(running=1, tokens=250 * at)})
        for at in range(0, 30, 5)
    ]
    assert decide(series, policy).replicas == 3


def test_replicas_go_when_fewer_sufficed_for_long_enough() -> None:
    before = looks(look(FULL, FULL, FULL, FULL), 10)
    quiet = look(IDLE, IDLE, IDLE, IDLE)
    assert decided(POLICY, before, looks(quiet, 55)).replicas == 4
    assert decided(POLICY, before, looks(quiet, 65)).replicas == 2  # at most half in a minute


def test_load_that_is_not_known_takes_nothing_away() -> None:
    quiet, unheard = look(IDLE, IDLE), look(IDLE, replicas=2, serving=2)
    assert decided(POLICY, looks(quiet, 100)).replicas == 1
    assert decided(POLICY, looks(quiet, 100), [unheard]).replicas == 2
    nobody = look(replicas=2, serving=2)
    assert decided(POLICY, looks(nobody, 100)) == Decision(replicas=2, reason="LoadUnknown")


def test_a_replica_without_a_place_keeps_none_that_has_one() -> None:
    unplaced = look(IDLE, IDLE, replicas=3)
    assert decided(POLICY, looks(unplaced, 100)).replicas == 2


def test_a_gap_between_looks_takes_nothing_away() -> None:
    quiet = {"a": IDLE, "b": IDLE}
    series = [Sample(at=at, replicas=2, serving=2, engines=quiet) for at in (0, 50, 100, 105)]
    assert decide(series, POLICY).replicas == 2


def test_an_idle_playground_goes_to_zero_after_its_time() -> None:
    assert decided(TO_ZERO, looks(look(IDLE), 115)).replicas == 1
    gone = decided(TO_ZERO, looks(look(IDLE), 120))
    assert (gone.replicas, gone.reason) == (0, "Idle")
    assert gone.message == "no request for 120 seconds"


@pytest.mark.parametrize(
    "last",
    [
        look(EngineLoad(running=1)),
        look(EngineLoad(running=0, waiting=1)),
        look(EngineLoad(running=0, tokens=1)),
        look(replicas=1, serving=1),
        look(replicas=1, serving=0),
    ],
)
def test_nothing_goes_to_zero_while_requests_run_or_wait_or_may(last: Sample) -> None:
    assert decided(TO_ZERO, looks(look(IDLE), 120), [last]).replicas == 1


def test_tokens_by_which_idle_engines_prove_that_they_live_keep_none_of_them() -> None:
    proofs = [
        *looks(look(EngineLoad(running=0, tokens=2)), 60),
        look(EngineLoad(running=1, tokens=2, proofs=1)),
        *looks(look(EngineLoad(running=0, tokens=4, proofs=2)), 55),
    ]
    assert decided(TO_ZERO, proofs).replicas == 0


@pytest.mark.parametrize(
    "last",
    [
        EngineLoad(running=0, tokens=100, proofs=1),
        EngineLoad(running=2, tokens=2, proofs=1),
        EngineLoad(running=1, waiting=1, tokens=2, proofs=1),
    ],
)
def test_requests_beside_a_proof_of_life_keep_an_engine(last: EngineLoad) -> None:
    assert decided(TO_ZERO, looks(look(EngineLoad(running=0)), 120), [look(last)]).replicas == 1


def test_a_playground_that_was_just_woken_has_its_idle_time_before_it() -> None:
    asleep, starting = look(replicas=0), look(replicas=1, serving=0)
    woken = (looks(asleep, 300), looks(starting, 60), looks(look(IDLE), 100))
    assert decided(TO_ZERO, *woken).replicas == 1


def test_what_is_at_zero_stays_there() -> None:
    assert decided(TO_ZERO, looks(look(replicas=0), 300)).reason == "ScaledToZero"


def test_one_that_may_not_be_at_zero_comes_back() -> None:
    assert decided(POLICY, [look(replicas=0)]).replicas == 1
    assert decided(POLICY, [look(*[IDLE] * 9)]).replicas == 8


def test_with_another_autoscaler_only_the_last_replica_is_ours() -> None:
    policy = Policy(minimum=0, maximum=8, targets=TARGETS, only_to_zero=True)
    assert decided(policy, looks(look(IDLE, IDLE), 200)).replicas == 2
    assert decided(policy, looks(look(FULL), 200)).replicas == 1
    assert decided(policy, looks(look(IDLE), 200)).replicas == 0


def test_a_recorded_series_gives_the_same_decisions_again() -> None:
    output, live, series = io.StringIO(), [], Series()
    shape = (*looks(look(BUSY), 20), *looks(look(FULL), 20), *looks(look(IDLE, IDLE), 80))
    for index, one in enumerate(shape):
        sample = Sample(
            at=index * STEP, replicas=one.replicas, serving=one.serving, engines=one.engines
        )
        record.write(output, ("default", "chat"), POLICY, sample)
        series.add(sample, POLICY)
        live.append(decide(series.samples, POLICY))
    replayed = record.replay(iter(output.getvalue().splitlines()))
    assert [decision for _, _, decision in replayed] == live


def test_an_agents_page_is_read_engine_by_engine() -> None:
    labels = 'namespace="a",playground="b",service="b",model="m",engine="a/b-0"'
    page = f"""# HELP llmaz_engine_requests_running x
llmaz_engine_requests_running{{{labels}}} 2.0
llmaz_engine_requests_waiting{{{labels}}} 1.0
llmaz_engine_kv_cache_usage_ratio{{{labels}}} 0.5
llmaz_engine_prompt_tokens_total{{{labels}}} 10.0
llmaz_engine_generation_tokens_total{{{labels}}} 5.0
llmaz_engine_proofs_total{{{labels}}} 3.0
llmaz_engine_phase{{engine="a/c-0",phase="Ready"}} 1.0
"""
    told = EngineLoad(running=2, waiting=1, kv_cache=0.5, tokens=15, proofs=3)
    assert read_loads(page) == {"a/b-0": told}


def test_an_elastic_config_has_targets_of_its_own() -> None:
    assert Policy.of(ElasticConfig(max_replicas=3), only_to_zero=False).targets == LoadTargets()


def test_an_idle_playground_that_can_sleep_does_so_after_its_own_time() -> None:
    targets = LoadTargets(sleep_seconds=30, idle_seconds=120)
    policy = Policy(minimum=0, maximum=8, targets=targets, sleeps=True)
    assert decided(policy, looks(look(IDLE), 25)).replicas == 1
    asleep = decided(policy, looks(look(IDLE), 30))
    assert (asleep.replicas, asleep.reason) == (0, "Sleep")
    assert asleep.message == "no request for 30 seconds"


def some_looks(engines: st.SearchStrategy[EngineLoad]) -> st.SearchStrategy[list[Sample]]:
    """Looks five seconds apart, of which some know nothing of some engines."""
    loads = st.dictionaries(st.sampled_from(["a", "b", "c"]), engines)
    some = st.builds(
        Sample,
        at=st.just(0.0),
        replicas=st.integers(0, 6),
        serving=st.integers(0, 4),
        engines=loads,
    )
    return st.lists(some, min_size=1, max_size=30)


LOADS = st.builds(
    EngineLoad,
    running=st.integers(0, 9).map(float),
    waiting=st.integers(0, 99).map(float),
    kv_cache=st.none() | st.floats(0, 1),
    tokens=st.integers(0, 999).map(float),
)
POLICIES = st.builds(
    Policy,
    minimum=st.integers(0, 2),
    maximum=st.integers(2, 5),
    targets=st.just(dataclasses.replace(TARGETS, idle_seconds=20, scale_down_seconds=20)),
    only_to_zero=st.booleans(),
    sleeps=st.booleans(),
)


@given(some_looks(LOADS), POLICIES)
def test_whatever_is_seen_no_more_replicas_are_decided_than_may_be(
    seen: list[Sample], policy: Policy
) -> None:
    last, after = seen[-1].replicas, decided(policy, seen)
    assert after == decided(policy, seen)
    if after.replicas == 0:
        assert policy.minimum == 0 or (policy.only_to_zero and last == 0)
    elif not policy.only_to_zero:
        assert max(1, policy.minimum) <= after.replicas <= policy.maximum
        assert after.replicas <= max(policy.minimum, 2 * last, last + 4)
    else:
        assert after.replicas == last


@given(some_looks(LOADS), POLICIES)
def test_where_nothing_is_known_no_replica_goes(seen: list[Sample], policy: Policy) -> None:
    blind = dataclasses.replace(seen[-1], engines={})
    least = min(blind.replicas, policy.maximum) if not policy.only_to_zero else blind.replicas
    assert decided(policy, seen, [blind]).replicas >= least
