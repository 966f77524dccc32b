"""The accelerators' metrics, as a scraper reads them."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from llmaz.agent.accelerators.device import (
    Device,
    Gauges,
    LookFailed,
    Process,
    Sighting,
    Throttle,
    Xid,
)
from llmaz.agent.accelerators.metrics import accelerator_metrics
from llmaz.api.accelerator import Accelerator

DEVICE = Accelerator(
    uuid="GPU-1",
    index=0,
    vendor="nvidia",
    product="NVIDIA A10",
    resource="nvidia.com/gpu",
    memory_bytes=24 * 2**30,
    family="ampere",
    driver_version="580.126.20",
)
_INFO_OF_DEVICE = (
    'info{driver_version="580.126.20",family="ampere",product="NVIDIA A10",'
    'resource="nvidia.com/gpu",uuid="GPU-1",vendor="nvidia"} 1.0'
)
_INFO_OF_BARE = (
    'info{driver_version="",family="",product="Gaudi2",resource="habana.ai/gaudi",'
    'uuid="habana-1",vendor="habana"} 1.0'
)


class _Once(Collector):
    def __init__(self, sighting: Sighting) -> None:
        self._sighting = sighting

    def collect(self) -> list[Metric]:
        return list(accelerator_metrics(self._sighting))


def _lines(sighting: Sighting) -> set[str]:
    registry = CollectorRegistry()
    registry.register(_Once(sighting))
    text = generate_latest(registry).decode().replace("llmaz_accelerator_", "")
    return {line for line in text.splitlines() if not line.startswith("#")}


def test_a_device_is_told_in_base_units() -> None:
    gauges = Gauges(
        memory_used_bytes=1024,
        utilization=0.5,
        temperature_celsius=41.0,
        power_watts=70.5,
        corrected_errors=12,
        uncorrected_errors=0,
        throttled_by=(Throttle.THERMAL,),
    )
    device = Device(accelerator=DEVICE, gauges=gauges, processes=(Process(pid=7),))
    assert _lines(Sighting(devices=(device,), xids={Xid(uuid="GPU-1", number=79): 2})) == {
        _INFO_OF_DEVICE,
        'healthy{uuid="GPU-1"} 1.0',
        'memory_bytes{uuid="GPU-1"} 2.5769803776e+10',
        'memory_used_bytes{uuid="GPU-1"} 1024.0',
        'processes{uuid="GPU-1"} 1.0',
        'utilization_ratio{uuid="GPU-1"} 0.5',
        'temperature_celsius{uuid="GPU-1"} 41.0',
        'power_watts{uuid="GPU-1"} 70.5',
        'throttled{reason="power_cap",uuid="GPU-1"} 0.0',
        'throttled{reason="power_brake",uuid="GPU-1"} 0.0',
        'throttled{reason="thermal",uuid="GPU-1"} 1.0',
        'throttled{reason="hardware_thermal",uuid="GPU-1"} 0.0',
        'throttled{reason="hardware",uuid="GPU-1"} 0.0',
        'ecc_errors_total{type="corrected",uuid="GPU-1"} 12.0',
        'ecc_errors_total{type="uncorrected",uuid="GPU-1"} 0.0',
        'xid_total{class="application",uuid="GPU-1"} 0.0',
        'xid_total{class="hardware",uuid="GPU-1"} 2.0',
        'xid_total{class="other",uuid="GPU-1"} 0.0',
        "stale 0.0",
    }


def test_what_is_not_known_has_no_series() -> None:
    device = Device(
        accelerator=Accelerator(
            uuid="habana-1",
            index=0,
            vendor="habana",
            product="Gaudi2",
            resource="habana.ai/gaudi",
            healthy=False,
        )
    )
    failure = LookFailed(reason="NoAnswer", message="the driver hangs")
    assert _lines(Sighting(devices=(device,), failure=failure)) == {
        _INFO_OF_BARE,
        'healthy{uuid="habana-1"} 0.0',
        "stale 1.0",
    }


def test_a_node_whose_devices_are_not_known_tells_of_none() -> None:
    assert _lines(Sighting()) == {"stale 0.0"}
