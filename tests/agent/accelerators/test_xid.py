import pytest

from llmaz.agent.accelerators.xid import XidClass, words, xid_class


@pytest.mark.parametrize(
    ("kind", "xids"),
    [
        (XidClass.APPLICATION, (13, 31, 43, 45, 68, 94, 109)),
        (XidClass.HARDWARE, (48, 63, 64, 74, 79, 92, 95, 119, 120, 140)),
        (XidClass.OTHER, (8, 32, 62)),
    ],
)
def test_an_error_is_of_the_application_or_of_the_hardware(
    kind: XidClass, xids: tuple[int, ...]
) -> None:
    assert {xid_class(xid) for xid in xids} == {kind}


def test_a_hardware_error_says_what_it_is_and_what_to_do() -> None:
    assert words(48) == (
        "XID 48: an uncorrectable memory error;"
        " the device needs a reset and a new start of the agent"
    )
    assert words(79) == "XID 79: the GPU has fallen off the bus; the node needs a reboot"
