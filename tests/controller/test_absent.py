from llmaz.api.kinds import BACKEND_RUNTIME, OPEN_MODEL
from llmaz.api.meta import ObjectMeta
from llmaz.api.workload import WorkloadStatus
from llmaz.controller.absent import absent
from llmaz.controller.snapshot import ClusterSnapshot, Ref, Unreadable

UNREAD = Unreadable(
    why="spec.image: is required", metadata=ObjectMeta(name="vllm"), status=WorkloadStatus()
)


def test_what_does_not_exist_is_said_not_to() -> None:
    refusal = absent(OPEN_MODEL, "qwen", ClusterSnapshot())
    assert (refusal.reason, refusal.message) == ("ModelNotFound", "OpenModel qwen does not exist")


def test_what_can_not_be_read_is_told_where_it_is_wrong() -> None:
    snapshot = ClusterSnapshot(unreadable={Ref(kind=BACKEND_RUNTIME, name="vllm"): UNREAD})
    refusal = absent(BACKEND_RUNTIME, "vllm", snapshot)
    assert refusal.reason == "InvalidRuntime"
    assert refusal.message == "BackendRuntime vllm can't be read: spec.image: is required"
    assert absent(OPEN_MODEL, "vllm", snapshot).reason == "ModelNotFound"
    known = ClusterSnapshot(unreadable={Ref(kind=OPEN_MODEL, name="qwen"): UNREAD})
    assert absent(OPEN_MODEL, "qwen", known).reason == "InvalidModel"
