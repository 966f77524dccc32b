"""What makes an engine another one."""

import dataclasses

from llmaz.api.fingerprint import fingerprint, is_next_epoch
from llmaz.api.names import GROUP_PORT
from llmaz.api.node import AssignedEngine
from llmaz.api.pod import EnvVar, Resources

ENGINE = AssignedEngine(id="a/b-0", service="b", model="m", main_model="m")


def test_a_fingerprint_tells_what_needs_a_new_process() -> None:
    same = dataclasses.replace(ENGINE, resources=Resources())
    other = dataclasses.replace(ENGINE, args=("--fast",))
    assert fingerprint(ENGINE) == fingerprint(same)
    assert fingerprint(ENGINE) != fingerprint(other)
    assert len(fingerprint(ENGINE)) == 16


def test_an_assignment_of_the_next_epoch_is_the_same_but_for_where_the_group_meets() -> None:
    def at(epoch: int, port: str, **changes: str) -> AssignedEngine:
        env = tuple(EnvVar(name=name, value=value) for name, value in changes.items())
        met = EnvVar(name=GROUP_PORT, value=port)
        return dataclasses.replace(ENGINE, epoch=epoch, env=(met, *env))

    assert is_next_epoch(at(3, "22001"), at(2, "22000"))
    assert not is_next_epoch(at(2, "22000"), at(2, "22000"))
    assert not is_next_epoch(at(2, "22000"), at(3, "22001"))
    assert not is_next_epoch(at(3, "22001", A="b"), at(2, "22000"))
