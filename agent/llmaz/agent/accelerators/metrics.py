"""What /metrics tells of the accelerators. Pure."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from llmaz.agent.accelerators.device import Device, Sighting, Throttle
from llmaz.agent.accelerators.xid import XidClass, xid_class
from llmaz.api.accelerator import Accelerator

_INFO = ("uuid", "vendor", "product", "family", "resource", "driver_version")
_GAUGES = (
    ("llmaz_accelerator_memory_used_bytes", "memory_used_bytes", "Memory in use on the device."),
    ("llmaz_accelerator_utilization_ratio", "utilization", "Share of time that it computes."),
    ("llmaz_accelerator_temperature_celsius", "temperature_celsius", "Temperature of the device."),
    ("llmaz_accelerator_power_watts", "power_watts", "Power that the device draws."),
)


def accelerator_metrics(sighting: Sighting) -> Iterator[Metric]:
    """Yield what is known of every device. What is not known has no series."""
    devices = sighting.devices or ()
    yield from _of_devices(devices, sighting.unusable)
    yield from _of_gauges(devices)
    yield _of_throttling(devices)
    yield _of_memory_errors(devices)
    yield _of_xids(sighting)
    stale = GaugeMetricFamily(
        "llmaz_accelerator_stale", "1 while the driver does not answer and old news is shown."
    )
    stale.add_metric([], float(sighting.failure is not None))
    yield stale


def _of_devices(devices: tuple[Device, ...], unusable: tuple[Accelerator, ...]) -> Iterator[Metric]:
    info = GaugeMetricFamily("llmaz_accelerator_info", "An accelerator of the node.", labels=_INFO)
    healthy = GaugeMetricFamily(
        "llmaz_accelerator_healthy", "1 while an engine may be put on it.", labels=["uuid"]
    )
    total = GaugeMetricFamily(
        "llmaz_accelerator_memory_bytes", "Memory of the device in all.", labels=["uuid"]
    )
    processes = GaugeMetricFamily(
        "llmaz_accelerator_processes", "Processes that compute on the device.", labels=["uuid"]
    )
    for accelerator in (*(device.accelerator for device in devices), *unusable):
        info.add_metric([str(getattr(accelerator, name)) for name in _INFO], 1)
        healthy.add_metric([accelerator.uuid], float(accelerator.healthy))
        if accelerator.memory_bytes is not None:
            total.add_metric([accelerator.uuid], accelerator.memory_bytes)
    for device in devices:
        if device.processes is not None:
            processes.add_metric([device.accelerator.uuid], len(device.processes))
    yield from (info, healthy, total, processes)


def _of_gauges(devices: tuple[Device, ...]) -> Iterator[Metric]:
    for name, field, words in _GAUGES:
        gauge = GaugeMetricFamily(name, words, labels=["uuid"])
        for device in devices:
            value: float | None = getattr(device.gauges, field)
            if value is not None:
                gauge.add_metric([device.accelerator.uuid], value)
        yield gauge


def _of_throttling(devices: tuple[Device, ...]) -> Metric:
    throttled = GaugeMetricFamily(
        "llmaz_accelerator_throttled",
        "1 while the device is slower than it could be for that reason.",
        labels=["uuid", "reason"],
    )
    for device in devices:
        reasons = device.gauges.throttled_by
        for reason in Throttle if reasons is not None else ():
            uuid = device.accelerator.uuid
            throttled.add_metric([uuid, reason.value], float(reason in (reasons or ())))
    return throttled


def _of_memory_errors(devices: tuple[Device, ...]) -> Metric:
    errors = CounterMetricFamily(
        "llmaz_accelerator_ecc_errors",
        "Errors of the device's memory since its driver was loaded.",
        labels=["uuid", "type"],
    )
    for device in devices:
        counts = {
            "corrected": device.gauges.corrected_errors,
            "uncorrected": device.gauges.uncorrected_errors,
        }
        for kind, count in counts.items():
            if count is not None:
                errors.add_metric([device.accelerator.uuid, kind], count)
    return errors


def _of_xids(sighting: Sighting) -> Metric:
    """Count by class: the numbers themselves are in the message of a device that is not well."""
    counter = CounterMetricFamily(
        "llmaz_accelerator_xid",
        "Errors that NVIDIA's driver told of since the agent started.",
        labels=["uuid", "class"],
    )
    nvidia = {
        device.accelerator.uuid
        for device in sighting.devices or ()
        if device.accelerator.vendor == "nvidia"
    }
    for uuid in sorted(nvidia | {xid.uuid for xid in sighting.xids}):
        for kind in XidClass:
            count = sum(
                count
                for xid, count in sighting.xids.items()
                if xid.uuid == uuid and xid_class(xid.number) is kind
            )
            counter.add_metric([uuid, kind.value], count)
    return counter
