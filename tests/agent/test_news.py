"""What of a status is worth a line in the log."""

from llmaz.agent.news import news
from llmaz.api.node import Accelerator, EnginePhase, EngineReport, NodeStatus


def _status(*engines: EngineReport, healthy: bool = True) -> NodeStatus:
    accelerator = Accelerator(
        uuid="GPU-1",
        index=0,
        vendor="nvidia",
        product="A10",
        resource="nvidia.com/gpu",
        healthy=healthy,
        message="" if healthy else "lost",
    )
    return NodeStatus(engines=engines, accelerators=(accelerator,))


READY = EngineReport(id="default/a-0", phase=EnginePhase.READY, port=9000, pid=7)
BACKOFF = EngineReport(
    id="default/a-0", phase=EnginePhase.BACKOFF, reason="BadArguments", message="--x is unknown"
)


def test_an_engine_is_news_when_its_phase_changes() -> None:
    assert list(news(_status(READY), _status(BACKOFF))) == [
        "engine default/a-0 is Backoff: BadArguments, --x is unknown"
    ]


def test_a_first_look_tells_of_every_engine() -> None:
    assert list(news(None, _status(READY))) == ["engine default/a-0 is Ready: port 9000, pid 7"]


def test_what_stays_is_no_news() -> None:
    assert list(news(_status(READY), _status(READY))) == []


def test_an_engine_that_is_gone_is_news() -> None:
    assert list(news(_status(READY), _status())) == ["engine default/a-0 is gone"]


def test_the_health_of_a_device_is_news() -> None:
    lost, well = _status(healthy=False), _status()
    assert list(news(well, lost)) == ["accelerator GPU-1 can't be used: lost"]
    assert list(news(lost, well)) == ["accelerator GPU-1 is healthy again"]
