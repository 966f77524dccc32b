"""What a kubelet answers, read from its wire."""

import pytest

from llmaz.agent.slots.podresources import WireError, devices_of
from support.kubelet.podresources import listing

ANSWER = listing(
    {
        ("default", "chat-0-a"): {"nvidia.com/gpu": ["GPU-a", "GPU-b"]},
        ("other", "chat-0-a"): {"nvidia.com/gpu": ["GPU-c"]},
        ("default", "plain"): {},
    }
)


def test_a_pod_s_devices_are_told_by_resource_and_by_its_own_namespace() -> None:
    assert devices_of(ANSWER, "default", "chat-0-a") == {"nvidia.com/gpu": ["GPU-a", "GPU-b"]}
    assert devices_of(ANSWER, "other", "chat-0-a") == {"nvidia.com/gpu": ["GPU-c"]}


def test_a_pod_without_devices_is_not_one_that_is_unknown() -> None:
    assert devices_of(ANSWER, "default", "plain") == {}
    assert devices_of(ANSWER, "default", "gone") is None


def test_fields_that_nobody_knows_are_passed_over() -> None:
    number, eight, four = b"\xa0\x06\xff\x01", b"\xa9\x06" + bytes(8), b"\xad\x06" + bytes(4)
    assert devices_of(number + eight + four + ANSWER, "default", "plain") == {}


@pytest.mark.parametrize("broken", [ANSWER[:-1], b"\x0a", b"\x0b", b"\x08" + b"\xff" * 12])
def test_what_is_no_message_is_refused(broken: bytes) -> None:
    with pytest.raises(WireError):
        devices_of(broken, "no", "such")
