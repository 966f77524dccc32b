"""Fixtures that tests of several programs share."""

pytest_plugins = ("support.controlplane",)
