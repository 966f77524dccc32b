"""The command lines of the programs of `up`."""

from pathlib import Path

from llmaz.local.home import Home
from llmaz.local.programs import Address, Addresses, Program, other_programs

HOME = Home(Path("/home/me/.llmaz"))


def _address(port: int, host: str = "127.0.0.1") -> Address:
    return Address(host=host, port=port, flag="--port")


ADDRESSES = Addresses(
    api=_address(6445),
    gateway=_address(8000, "0.0.0.0"),
    agent=_address(9400),
    controller=_address(9401),
    sharing=_address(9402),
)


def _programs(api_keys: Path | None = None) -> dict[str, Program]:
    return {one.name: one for one in other_programs(HOME, ADDRESSES, "here", api_keys)}


def test_the_gateway_alone_is_told_which_keys_its_clients_must_show() -> None:
    told = _programs(Path("/etc/keys"))
    assert told["gateway"].argv[-3:-1] == ("--api-keys", "/etc/keys")
    assert {name for name, one in told.items() if "--api-keys" in one.argv} == {"gateway"}
    assert not any("--api-keys" in one.argv for one in _programs().values())


def test_a_gateway_for_all_the_network_is_asked_on_this_machine_whether_it_is_ready() -> None:
    gateway = _programs()["gateway"]
    assert "0.0.0.0:8000" in gateway.argv
    assert gateway.readiness == "http://127.0.0.1:8000/readyz"


def test_every_program_ends_with_the_one_that_started_it() -> None:
    assert all(one.argv[-1] == "--lifeline" for one in _programs().values())
