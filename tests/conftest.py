"""Fixtures and settings that tests of several programs share."""

from hypothesis import settings

# The same examples in each run, and no clock: the cores may be shared.
settings.register_profile("llmaz", deadline=None, derandomize=True)
settings.load_profile("llmaz")

pytest_plugins = ("support.controlplane",)
