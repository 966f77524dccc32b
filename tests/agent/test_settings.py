"""What the agent's command line means."""

import shutil
from pathlib import Path

import pytest

from llmaz.agent.cache.policy import FetchPolicy
from llmaz.agent.settings import AgentSettings, Host, RunAgent, StopEngines, from_argv

HOST = Host(name="Gpu-1", address="10.0.0.7")


def _run(*argv: str, **environ: str) -> RunAgent:
    settings: AgentSettings = from_argv(argv, environ, HOST)
    assert isinstance(settings, RunAgent)
    return settings


def test_without_options_the_machine_speaks_for_itself() -> None:
    settings = _run()
    assert (settings.node_name, settings.address) == ("gpu-1", "10.0.0.7")
    assert settings.state_dir == Path("/var/lib/llmaz/agent")
    assert settings.kubeconfig is None
    assert not settings.register_node


def test_a_pods_environment_names_the_node_and_the_home_its_directories() -> None:
    settings = _run(NODE_NAME="a", LLMAZ_HOME="/home/x/.llmaz", KUBECONFIG="/k")
    assert settings.node_name == "a"
    assert settings.cache_dir == Path("/home/x/.llmaz/cache")
    assert settings.kubeconfig == Path("/k")


def test_options_win_over_the_environment() -> None:
    settings = _run("--node-name", "b", "--listen", "[::1]:1", "--lifeline", NODE_NAME="a")
    assert (settings.node_name, settings.lifeline) == ("b", True)
    assert (settings.listen_host, settings.listen_port) == ("::1", 1)


def test_engines_are_stopped_by_a_command_of_its_own() -> None:
    settings = from_argv(["stop-engines", "--state-dir", "/s", "--grace", "2.5"], {}, HOST)
    assert settings == StopEngines(state_dir=Path("/s"), grace_seconds=2.5, log_format="text")


def test_the_patience_with_a_silent_engine_may_be_changed() -> None:
    assert (_run().hang_seconds, _run().toil_seconds) == (100, 100)
    assert _run("--hang-seconds", "7.5").hang_seconds == 7.5
    assert _run("--toil-seconds", "600").toil_seconds == 600
    for wrong in ("0", "-1", "nan", "inf", "soon"):
        with pytest.raises(SystemExit):
            _run("--hang-seconds", wrong)
        with pytest.raises(SystemExit):
            _run("--stop-engines-within", wrong)
        with pytest.raises(SystemExit):
            from_argv(["stop-engines", "--grace", wrong], {}, HOST)


def test_the_cache_may_be_bounded_as_kubernetes_writes_bytes() -> None:
    assert _run().cache_limits.quota is None
    assert _run("--cache-reserve", "50Gi").cache_limits.reserve == 50 * 2**30
    assert 0 < _run("--cache-reserve", "12%").cache_limits.reserve < 2**60
    assert _run("--cache-quota", "500Gi").cache_limits.quota == 500 * 2**30
    quota = _run("--cache-quota", "80%", "--cache-dir", "/none/yet").cache_limits.quota
    assert quota == shutil.disk_usage("/").total * 80 // 100
    assert _run().environments_quota is None
    assert _run("--environments-quota", "60Gi").environments_quota == 60 * 2**30
    with pytest.raises(SystemExit):
        _run("--cache-quota", "much")
    with pytest.raises(SystemExit):
        _run("--cache-quota", "101%")


@pytest.mark.parametrize("listen", ["9400", ":9400", "host:port", "host:70000"])
def test_a_place_to_listen_at_that_is_none_is_refused(
    listen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        _run("--listen", listen)
    assert ended.value.code == 2
    assert f"{listen!r} is not HOST:PORT" in capsys.readouterr().err


def test_what_fetches_may_do_is_read() -> None:
    argv = ["--fetch-rate", "200Mi", "--fetch-rate", "s3=50Mi", "--refuse-pickle"]
    settings = from_argv(argv, {}, HOST)
    assert isinstance(settings, RunAgent)
    assert settings.fetch_policy == FetchPolicy(
        rates={"all": 200 * 2**20, "s3": 50 * 2**20}, refuse_pickle=True
    )


@pytest.mark.parametrize("rate", ["nfs=1Mi", "1Ki", "=", "fast"])
def test_a_rate_that_cannot_be_is_refused(rate: str) -> None:
    with pytest.raises(SystemExit):
        from_argv(["--fetch-rate", rate], {}, HOST)


@pytest.mark.parametrize(
    ("argv", "policy"),
    [
        ((), "any"),
        (("--sharing-listen", "0.0.0.0:9401"), "assigned"),
        (("--sharing-listen", "10.0.0.7:9401"), "assigned"),
        (("--sharing-listen", "0.0.0.0:9401", "--mirror-fetch", "any"), "any"),
    ],
)
def test_who_reaches_the_endpoint_from_elsewhere_does_not_fill_the_disk_unless_told(
    argv: tuple[str, ...], policy: str
) -> None:
    assert _run(*argv).mirror_fetch == policy


@pytest.mark.parametrize("name", ["HF_ENDPOINT", "MODELSCOPE_ENDPOINT"])
def test_an_agent_does_not_ask_its_own_endpoint_for_weights(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _run(**{name: "http://10.0.0.7:9401"})
    assert "is this agent's own endpoint" in capsys.readouterr().err
    assert _run("--mirror-fetch", "off", HF_ENDPOINT="http://10.0.0.7:9401").mirror_fetch == "off"


def test_reading_ahead_has_a_rate_and_can_be_turned_off() -> None:
    assert _run().read_ahead == 2 * 2**30
    assert _run("--read-ahead", "500Mi").read_ahead == 500 * 2**20
    assert _run("--read-ahead", "off").read_ahead is None
    for wrong in ("1", "fast", ""):
        with pytest.raises(SystemExit):
            _run("--read-ahead", wrong)


def test_what_engines_compile_is_kept_only_where_that_is_asked_for() -> None:
    assert _run().jit_cache is None
    assert _run("--jit-cache", "20Gi").jit_cache == 20 * 2**30


def test_compiled_programs_are_shared_only_by_those_that_keep_some_and_have_a_token() -> None:
    whole = ("--jit-cache", "1Gi", "--peer-token-file", "/t", "--jit-cache-peers")
    assert _run(*whole).jit_peers
    for lacking in (whole[2:], (*whole[:2], whole[4])):
        with pytest.raises(SystemExit):
            _run(*lacking)


def test_copies_in_memory_have_a_place_and_a_quota_or_there_are_none() -> None:
    copies = _run("--warm-dir", "/mem", "--warm-quota", "64Gi").warm_copies
    assert copies is not None
    assert (copies.directory, copies.quota) == (Path("/mem"), 64 * 2**30)
    assert _run().warm_copies is None
    for lacking in (("--warm-dir", "/mem"), ("--warm-quota", "1Gi")):
        with pytest.raises(SystemExit):
            _run(*lacking)


def test_what_is_stored_is_read_again_unless_that_is_off() -> None:
    assert _run().scrub_rate == 50 * 10**6
    assert _run("--scrub-rate", "1Gi").scrub_rate == 2**30
    assert _run("--scrub-rate", "off").scrub_rate is None


def test_what_is_sent_to_peers_at_a_time_has_a_bound_for_all_and_for_each() -> None:
    assert (_run().peer_uploads, _run().peer_uploads_each) == (16, 4)
    told = _run("--peer-uploads", "64", "--peer-uploads-each", "8")
    assert (told.peer_uploads, told.peer_uploads_each) == (64, 8)
    for nothing in ("0", "-1", "many"):
        with pytest.raises(SystemExit):
            _run("--peer-uploads", nothing)
