"""The rules of supervision: what is started, stopped and forgotten, and what is said of it."""

import dataclasses
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from llmaz.agent.engines import backoff
from llmaz.agent.engines.decide import decide_engines
from llmaz.agent.engines.state import (
    BuildEnvironment,
    EnginePlan,
    EngineSeen,
    EnvironmentBuilding,
    EnvironmentFailed,
    EnvironmentReady,
    Exited,
    Fault,
    ForgetEngine,
    Health,
    Launching,
    Process,
    Running,
    StartEngine,
    StopEngine,
    Unreachable,
)
from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import AssignedEngine, EnginePhase

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
RUNNING = Running(pid=42, run=1, started_at=NOW)
ENDED = Exited(at=NOW, fault=None)
BROKEN = Exited(at=NOW, fault=Fault(reason="Error", message="exited with code 1"))
HELD = Exited(at=NOW, fault=None, clear=False)
WEIGHTS = {"qwen": "/models/qwen"}


def engine(name: str = "chat-0", **fields: object) -> AssignedEngine:
    made = AssignedEngine(
        id=f"default/{name}", service="chat", model="qwen", main_model="qwen", command=("serve",)
    )
    return dataclasses.replace(made, **fields)  # type: ignore[arg-type]  # as replace itself


def seen(of: AssignedEngine, process: Process, **fields: object) -> EngineSeen:
    made = EngineSeen(
        id=of.id, assignment=of, fingerprint=fingerprint(of), process=process, port=of.port
    )
    return dataclasses.replace(made, **fields)  # type: ignore[arg-type]  # as replace itself


def phases(plan: EnginePlan) -> dict[str, EnginePhase]:
    return {report.id: report.phase for report in plan.reports}


def test_an_engine_that_is_assigned_is_started() -> None:
    plan = decide_engines((engine(),), (), WEIGHTS, NOW)
    assert plan.actions == (StartEngine(engine=engine(), model_path="/models/qwen"),)
    assert phases(plan) == {"default/chat-0": EnginePhase.STARTING}


def test_an_engine_waits_for_its_weights() -> None:
    plan = decide_engines((engine(draft_model="small"),), (), WEIGHTS, NOW)
    assert plan.actions == ()
    assert plan.reports[0].phase is EnginePhase.WAITING
    assert plan.reports[0].message == "waits for the weights of small"


def test_an_engine_waits_for_the_programs_that_its_runtime_requires() -> None:
    wanted = engine(requirements=("vllm",))
    build = BuildEnvironment(requirements=("vllm",))
    begun = decide_engines((wanted,), (), {}, NOW)  # without waiting for its weights
    assert (begun.actions, phases(begun)) == ((build,), {wanted.id: EnginePhase.WAITING})
    states = {wanted.requirements: EnvironmentBuilding(progress="Collecting torch")}
    building = decide_engines((wanted,), (), WEIGHTS, NOW, environments=states)
    assert building.actions == ()
    assert building.reports[0].message == (
        "waits for a Python environment with vllm: Collecting torch"
    )
    ready = {wanted.requirements: EnvironmentReady(programs="/cache/vllm/bin")}
    started = decide_engines((wanted,), (), WEIGHTS, NOW, environments=ready)
    start = StartEngine(engine=wanted, model_path="/models/qwen", programs="/cache/vllm/bin")
    assert started.actions == (start,)


def test_an_environment_that_failed_is_built_again_when_it_is_time() -> None:
    wanted = engine(requirements=("vllm",))
    fault = Fault(reason="IndexUnreachable", message="Python environment of vllm: Max retries")
    states = {wanted.requirements: EnvironmentFailed(fault=fault, retry_at=NOW)}
    early = decide_engines((wanted,), (), WEIGHTS, NOW - timedelta(seconds=3), environments=states)
    assert (early.actions, early.look_again_in) == ((), 3)
    assert (early.reports[0].phase, early.reports[0].reason) == (
        EnginePhase.BACKOFF,
        "IndexUnreachable",
    )
    due = decide_engines((wanted,), (), WEIGHTS, NOW, environments=states)
    assert due.actions == (BuildEnvironment(requirements=("vllm",)),)


def test_an_engine_that_loads_its_model_itself_waits_for_none() -> None:
    plan = decide_engines((engine(skip_model_loader=True),), (), {}, NOW)
    assert plan.actions == (StartEngine(engine=engine(skip_model_loader=True), model_path=""),)


def test_an_engine_that_runs_as_assigned_is_left_alone() -> None:
    plan = decide_engines(
        (engine(),), (seen(engine(), RUNNING, health=Health.READY),), WEIGHTS, NOW
    )
    assert (plan.actions, phases(plan)) == ((), {"default/chat-0": EnginePhase.READY})


def test_an_engine_whose_weights_are_evicted_runs_on() -> None:
    plan = decide_engines((engine(),), (seen(engine(), RUNNING, health=Health.READY),), {}, NOW)
    assert plan.actions == ()


def test_an_unknown_assignment_starts_and_stops_nothing() -> None:
    for process in (RUNNING, ENDED, BROKEN, Launching(), Unreachable()):
        plan = decide_engines(None, (seen(engine(), process),), WEIGHTS, NOW)
        assert plan.actions == ()
        assert len(plan.reports) == 1


def test_an_engine_that_is_assigned_no_more_is_unready_before_it_is_stopped() -> None:
    plan = decide_engines((), (seen(engine(), RUNNING, health=Health.READY),), {}, NOW)
    reason = "no longer assigned to this node"
    assert plan.actions == (StopEngine(id="default/chat-0", reason=reason),)
    assert plan.reports[0].phase is EnginePhase.STOPPING


def test_a_stop_under_way_is_not_begun_again() -> None:
    parting = seen(engine(), RUNNING, stopping_since=NOW)
    for assigned in ((), (engine(),), (engine(args=("--new",)),)):
        plan = decide_engines(assigned, (parting,), WEIGHTS, NOW)
        assert (plan.actions, phases(plan)) == ((), {"default/chat-0": EnginePhase.STOPPING})


def test_an_engine_is_forgotten_when_its_last_process_is_gone() -> None:
    assert decide_engines((), (seen(engine(), HELD),), {}, NOW).actions == ()
    gone = decide_engines((), (seen(engine(), ENDED),), {}, NOW)
    assert gone.actions == (ForgetEngine(id="default/chat-0"),)


def test_a_changed_assignment_stops_the_old_engine_first() -> None:
    changed = engine(args=("--new",))
    plan = decide_engines((changed,), (seen(engine(), RUNNING, health=Health.READY),), WEIGHTS, NOW)
    assert plan.actions == (StopEngine(id=changed.id, reason="its assignment changed"),)
    assert plan.reports[0].fingerprint == fingerprint(engine())
    next_plan = decide_engines((changed,), (seen(engine(), ENDED),), WEIGHTS, NOW)
    assert next_plan.actions == (StartEngine(engine=changed, model_path="/models/qwen"),)


def test_a_lower_epoch_is_not_followed() -> None:
    runs = seen(engine(epoch=3), RUNNING, health=Health.READY)
    assert decide_engines((engine(epoch=2),), (runs,), WEIGHTS, NOW).actions == ()


def test_a_member_of_a_group_that_ended_waits_for_the_next_epoch() -> None:
    """Alone it is of no use: the controller starts the whole group anew."""
    ended = seen(engine(epoch=1, rank=1), BROKEN, failures=1)
    later = NOW + timedelta(hours=1)
    plan = decide_engines((engine(epoch=1, rank=1),), (ended,), WEIGHTS, later)
    assert (plan.actions, plan.reports[0].phase) == ((), EnginePhase.BACKOFF)
    again = engine(epoch=2, rank=1)
    assert decide_engines((again,), (ended,), WEIGHTS, NOW).actions == ()  # its backoff
    plan = decide_engines((again,), (ended,), WEIGHTS, later)
    assert plan.actions == (StartEngine(engine=again, model_path="/models/qwen"),)


def test_members_that_run_follow_their_group_into_its_next_epoch() -> None:
    runs = seen(engine(epoch=1), RUNNING, health=Health.READY)
    plan = decide_engines((engine(epoch=2),), (runs,), WEIGHTS, NOW)
    assert plan.actions == (StopEngine(id=runs.id, reason="its assignment changed"),)


def test_an_engine_that_hangs_is_stopped_with_the_reason() -> None:
    hung = seen(engine(), RUNNING, health=Health.DEAD, detail="it hangs: no token within 20 s")
    plan = decide_engines((engine(),), (hung,), WEIGHTS, NOW)
    assert plan.actions == (StopEngine(id=hung.id, reason="it hangs: no token within 20 s"),)


def test_a_failed_engine_is_started_again_after_its_backoff() -> None:
    failed = seen(engine(), BROKEN, failures=3)
    wait = timedelta(seconds=backoff.delay(failed.id, 3))
    early = decide_engines((engine(),), (failed,), WEIGHTS, NOW)
    assert (early.actions, early.look_again_in) == ((), wait.total_seconds())
    assert early.reports[0].retry_at == NOW + wait
    later = decide_engines((engine(),), (failed,), WEIGHTS, NOW + wait)
    assert isinstance(later.actions[0], StartEngine)


def test_a_crash_loop_is_told_with_its_count_and_reason() -> None:
    failed = seen(engine(), BROKEN, failures=backoff.CRASH_LOOP)
    report = decide_engines((engine(),), (failed,), WEIGHTS, NOW).reports[0]
    assert (report.phase, report.reason) == (EnginePhase.BACKOFF, "Error")
    assert report.message == "failed 5 times in a row: exited with code 1"


def test_a_permanent_fault_waits_for_another_assignment() -> None:
    fault = Fault(reason="BadArguments", message="unknown argument: --x", permanent=True)
    failed = seen(engine(), Exited(at=NOW, fault=fault), failures=1)
    later = NOW + timedelta(days=1)
    plan = decide_engines((engine(),), (failed,), WEIGHTS, later)
    assert (plan.actions, plan.reports[0].phase) == ((), EnginePhase.FAILED)
    changed = decide_engines((engine(args=("--y",)),), (failed,), WEIGHTS, later)
    assert isinstance(changed.actions[0], StartEngine)


def test_an_accelerator_belongs_to_its_engine_until_the_last_process_is_gone() -> None:
    old, new = engine("old-0", accelerators=("GPU-1",)), engine("new-0", accelerators=("GPU-1",))
    for process in (RUNNING, HELD, Launching(), Unreachable()):
        plan = decide_engines((new,), (seen(old, process),), WEIGHTS, NOW)
        assert not any(isinstance(action, StartEngine) for action in plan.actions)
        report = next(report for report in plan.reports if report.id == new.id)
        assert report.message == "GPU-1 is held by engine default/old-0"
    plan = decide_engines((new,), (seen(old, ENDED),), WEIGHTS, NOW)
    assert StartEngine(engine=new, model_path="/models/qwen") in plan.actions


def test_engines_that_are_assigned_one_accelerator_share_it() -> None:
    one, two, three = (engine(f"{name}-0", accelerators=("GPU-1",)) for name in ("a", "b", "c"))
    plan = decide_engines((one, two, three), (seen(one, RUNNING),), WEIGHTS, NOW)
    assert plan.actions == tuple(
        StartEngine(engine=new, model_path="/models/qwen") for new in (two, three)
    )


def test_who_shares_an_accelerator_waits_for_what_has_to_leave_it() -> None:
    one, two = engine("a-0", accelerators=("GPU-1",)), engine("b-0", accelerators=("GPU-1",))
    old, former = engine("old-0", accelerators=("GPU-1",)), seen(one, RUNNING, fingerprint="former")
    for there in (seen(old, HELD), former):
        plan = decide_engines((one, two), (there,), WEIGHTS, NOW)
        waits = next(report for report in plan.reports if report.id == two.id)
        assert (waits.phase, waits.message) == (
            EnginePhase.WAITING,
            f"GPU-1 is held by engine {there.id}",
        )


def test_a_fixed_port_is_given_to_one_engine_at_a_time() -> None:
    one, two = engine("one-0", port=8080), engine("two-0", port=8080)
    plan = decide_engines((one, two), (), WEIGHTS, NOW)
    assert plan.actions == (StartEngine(engine=one, model_path="/models/qwen"),)
    assert plan.reports[1].message == "port 8080 is held by engine default/one-0"


def test_an_accelerator_whose_memory_a_foreign_process_holds_is_waited_for() -> None:
    busy = {"GPU-1": "has 9 GiB in use by a process that is not llmaz's"}
    plan = decide_engines((engine(accelerators=("GPU-1",)),), (), WEIGHTS, NOW, busy)
    assert plan.actions == ()
    assert plan.reports[0].message == "GPU-1 has 9 GiB in use by a process that is not llmaz's"


def test_an_engine_whose_shim_is_silent_is_unready_and_untouched() -> None:
    for assigned in ((), (engine(),)):
        plan = decide_engines(assigned, (seen(engine(), Unreachable()),), WEIGHTS, NOW)
        assert plan.actions == ()
        assert plan.reports[0].reason == "ShimUnreachable"


PROCESSES = st.sampled_from([RUNNING, ENDED, BROKEN, HELD, Launching(), Unreachable()])
NAMES = ("a-0", "b-0", "c-0")
FLEETS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["GPU-1", "GPU-2"]))


@given(assigned=FLEETS, present=st.dictionaries(st.sampled_from(NAMES), PROCESSES), gpus=FLEETS)
def test_no_start_takes_an_accelerator_from_an_engine_that_is_not_assigned_it_as_well(
    assigned: dict[str, str], present: dict[str, Process], gpus: dict[str, str]
) -> None:
    """A start takes no device that another engine may hold, but for those that share it."""
    wanted = tuple(engine(n, accelerators=(gpu,)) for n, gpu in sorted(assigned.items()))
    found = tuple(
        seen(engine(n, accelerators=(gpus.get(n, "GPU-1"),)), p) for n, p in sorted(present.items())
    )
    plan = decide_engines(wanted, found, WEIGHTS, NOW + timedelta(hours=1))
    holders = {
        gpu
        for one in found
        for gpu in one.assignment.accelerators
        if not (isinstance(one.process, Exited) and one.process.clear)
        and one.assignment not in wanted
    }
    started = [action.engine for action in plan.actions if isinstance(action, StartEngine)]
    assert not holders.intersection(gpu for new in started for gpu in new.accelerators)
    running = {one.id for one in found if one.process == RUNNING}
    assert running.isdisjoint(new.id for new in started)
    assert len({report.id for report in plan.reports}) == len(plan.reports)


def test_an_engine_whose_namespace_may_not_have_the_weights_waits_and_says_why() -> None:
    wanted = engine()
    refused = {(wanted.namespace, wanted.main_model): "NotAuthorized: no"}
    plan = decide_engines((wanted,), (), WEIGHTS, NOW, refused=refused)
    assert plan.actions == ()
    assert plan.reports[0].phase is EnginePhase.WAITING
    assert plan.reports[0].message == "NotAuthorized: no"
    others = {("elsewhere", wanted.main_model): "no"}
    assert decide_engines((wanted,), (), WEIGHTS, NOW, refused=others).actions != ()
