"""The classes of XIDs, number by number."""

from llmaz.agent.accelerators.xid import XidClass, words, xid_class

# The action that NVIDIA's catalogue wants at once, by number, as of its edition for driver 610.
CATALOGUE = {
    "RESTART_APP": {8, 11, 13, 25, 31, 32, 39, 40, 41, 60, *range(68, 73), 75, 76, 77, 80}
    | {*range(82, 87), 88, 89, 94, *range(96, 106), *range(126, 136), 139},
    "RESET_GPU": {46, 62, 64, 95, 109, 110, 119, 120, 136, 140, 143, 155, 156, 158},
    "RESTART_BM": {79},
    "RESTART_VM": {151},
    "WORKFLOW": {45, 48, 74, *range(144, 151)},
    "IGNORE": {14, 37, 38, 43, 44, 63, 66, 67, 92, 93, 106, 107, 108, 121, 137, 141, 157, 160, 161},
    "OTHERWISE": {54, 78, 142, 154, 159, *range(162, 173)},
}
# Where it is not followed: the process met its end with 43 and 45, 48 and 74 are not to be had
# without a reset, and of the others the driver tells itself whether they want one.
APPLICATION = {43, 45, 109}
HARDWARE = {48, 74}
LEFT_TO_THE_DRIVER = {155}


def test_each_error_is_classed_as_the_catalogue_wants_it_treated() -> None:
    hardware = set().union(*(CATALOGUE[a] for a in ("RESET_GPU", "RESTART_BM", "RESTART_VM")))
    wanted = {
        XidClass.APPLICATION: CATALOGUE["RESTART_APP"] | APPLICATION,
        XidClass.HARDWARE: (hardware | HARDWARE) - APPLICATION - LEFT_TO_THE_DRIVER,
    }
    for kind, xids in wanted.items():
        assert {xid for xid in range(1, 200) if xid_class(xid) is kind} == xids


def test_each_hardware_error_has_words() -> None:
    for xid in range(1, 200):
        if xid_class(xid) is XidClass.HARDWARE:
            assert words(xid).startswith(f"XID {xid}: ")


def test_a_hardware_error_says_what_it_is_and_what_to_do() -> None:
    assert words(48) == (
        "XID 48: an uncorrectable memory error;"
        " the device needs a reset and a new start of the agent"
    )
    assert words(79) == "XID 79: the GPU has fallen off the bus; the node needs a reboot"
    assert words(151).endswith("the node needs a reboot")
