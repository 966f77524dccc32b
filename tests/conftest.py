"""Fixtures and settings that tests of several programs share."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from support.leftgroups import remove_old

# The same examples in each run, and no clock, which health checks have as well: the cores may be
# shared.
settings.register_profile(
    "llmaz",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("llmaz")

# Nor do examples depend on which modules a process has imported by then, and so on which tests it
# has had: constants of the code that is tested are drawn by no example.
providers._get_local_constants = Constants

pytest_plugins = ("support.controlplane",)

SLOW_SECONDS = 1800  # that a slow test may take, on cores that are shared with four others


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Clean up after the whole run, not after each process that has a part of it."""
    if not hasattr(session.config, "workerinput"):
        remove_old()


def _asks_for_a_control_plane(item: pytest.Item) -> bool:
    """Tell whether a test runs on whatever API server was asked for, or on a real one alone."""
    module = getattr(item, "module", None)
    own = ("running_control_plane", "real_control_plane")
    fixtures = getattr(item, "fixturenames", ())
    return "control_plane" in fixtures or any(hasattr(module, name) for name in own)


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _asks_for_a_control_plane(item):
            item.add_marker(pytest.mark.apiserver)
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))
