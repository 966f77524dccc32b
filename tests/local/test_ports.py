import socket

import pytest

from llmaz.daemon.ports import claim
from llmaz.local.ports import BAND, PortInUse, claimed
from llmaz.local.programs import Address, Addresses


def addresses(gateway_port: int = 0) -> Addresses:
    return Addresses(
        api=Address(host="127.0.0.1", port=0, flag="--api-port"),
        gateway=Address(host="127.0.0.1", port=gateway_port, flag="--gateway-port"),
        agent=Address(host="127.0.0.1", port=0, flag="--agent-port"),
        controller=Address(host="127.0.0.1", port=0, flag="--controller-port"),
        sharing=Address(host="127.0.0.1", port=0, flag="--sharing-port"),
    )


def test_zero_becomes_a_free_port_that_no_connection_is_given() -> None:
    with claimed(addresses()) as first, claimed(addresses()) as second:
        ports = [address.port for address in (*first.all, *second.all)]
        assert len(set(ports)) == len(ports)
        assert all(port in BAND for port in ports)
        assert all(claim(port) is None for port in ports)  # another `up` draws none of them


def test_a_port_in_use_is_named_with_its_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUse) as caught, claimed(addresses(port)):
            pass
    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{port}: address already in use; "
        "choose another port with --gateway-port"
    )
