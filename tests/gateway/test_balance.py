from llmaz.gateway.balance import Outstanding
from llmaz.gateway.routes import Endpoint

A, B = Endpoint("10.0.0.1", 80), Endpoint("10.0.0.2", 80)


def test_the_endpoint_with_the_fewest_requests_is_picked() -> None:
    outstanding = Outstanding()
    with outstanding.request(A):
        assert [outstanding.pick([A, B]) for _ in range(3)] == [B, B, B]


def test_equals_take_turns() -> None:
    outstanding = Outstanding()
    assert [outstanding.pick([A, B]) for _ in range(4)] == [A, B, A, B]


def test_a_request_that_ended_counts_no_more() -> None:
    outstanding = Outstanding()
    with outstanding.request(A):
        pass
    with outstanding.request(B):
        assert outstanding.pick([A, B]) == A


def test_an_endpoint_that_is_gone_is_forgotten_once_nothing_is_under_way_to_it() -> None:
    outstanding = Outstanding()
    outstanding.pick([A])
    with outstanding.request(A):
        outstanding.forget_all_but([])
        assert outstanding.pick([A, B]) == B
    outstanding.forget_all_but([])
    assert outstanding.pick([A, B]) == A
