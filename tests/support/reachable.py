"""An address of this machine at which a kube-apiserver lets endpoints be: none of loopback."""

import socket

import pytest

from support.plane import ControlPlane


def reachable_address() -> str:
    """Return an address that others would reach; skip the test on a machine without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ends:
        try:
            ends.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but its own")
        return str(ends.getsockname()[0])


def endpoint_address(plane: ControlPlane) -> str:
    """Return where an engine of a test may listen: the embedded server takes loopback as well."""
    return reachable_address() if plane.real else "127.0.0.1"
