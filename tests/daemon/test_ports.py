"""Claims on ports: between processes as within one, and over with who has them."""

import socket
import subprocess
import sys

from llmaz.daemon.ports import PortClaim, at_random, claim, claim_first, is_free

BAND = range(12000, 14000)  # no other test's, which could claim what is released for a moment
CLAIM = "import sys; from llmaz.daemon.ports import claim; print(claim(int(sys.argv[1])))"


def claimed_port() -> PortClaim:
    found = claim_first(at_random(BAND))
    assert found is not None
    return found


def claimed_elsewhere(port: int) -> str:
    """Return what a claim in another process comes to, which has ended by then."""
    argv = (sys.executable, "-c", CLAIM, str(port))
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def test_a_claimed_port_is_nobody_elses() -> None:
    own = claimed_port()
    assert claim(own.port) is None
    assert claimed_elsewhere(own.port) == "None"
    own.release()


def test_the_end_of_a_process_ends_its_claims() -> None:
    own = claimed_port()
    own.release()
    assert claimed_elsewhere(own.port) != "None"
    again = claim(own.port)
    assert again is not None
    again.release()


def test_a_port_that_is_claimed_or_listened_on_is_passed_over() -> None:
    first, second, third = (claimed_port() for _ in range(3))
    second.release()
    third.release()
    with socket.create_server(("127.0.0.1", second.port)):
        assert not is_free(second.port)
        found = claim_first((first.port, second.port, third.port))
        assert found is not None
        assert found.port == third.port
        assert claim_first((first.port, second.port)) is None
    assert is_free(second.port)
    again = claim_first((second.port,))  # no claim is left of the one that was passed over
    assert again is not None
    for each in (first, found, again):
        each.release()


def test_ports_to_try_are_different_ones_of_the_band() -> None:
    tried = at_random(BAND, 50)
    assert len(set(tried)) == 50
    assert set(tried) <= set(BAND)
    assert at_random(range(3)) != []
