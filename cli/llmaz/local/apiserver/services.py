"""Services: the defaults of their ports and addresses, and a cluster IP of the range for each."""

import ipaddress
import secrets
from collections.abc import Callable, Iterator

from llmaz.local.apiserver.builtinrules import member
from llmaz.local.apiserver.metadata import meta
from llmaz.local.apiserver.resource import Rules
from llmaz.local.apiserver.status import StatusError
from llmaz.local.apiserver.store import Store
from llmaz.local.objects.fielderror import FieldError
from llmaz.local.objects.values import Object

RANGE = ipaddress.IPv4Network("10.96.0.0/16")
API = str(RANGE[1])  # the address of the Service `kubernetes`
STORAGE = "services"


def service_rules(store: Store) -> Rules:
    """Return the rules of Services, which must know the addresses in use."""

    def used() -> set[str]:
        return {
            member(item.obj, "spec").get("clusterIP", "") for item in store.select_latest(STORAGE)
        }

    def prepare(obj: Object, old: Object | None) -> Object:
        return prepared(obj, old, used)

    def check(obj: Object, old: Object | None) -> list[FieldError]:
        return errors(obj, old, used)

    return Rules(defaults=with_defaults, prepare=prepare, check=check)


def with_defaults(obj: Object) -> Object:
    """Return a Service with what it leaves to the server's choice."""
    spec: Object = {"type": "ClusterIP", "sessionAffinity": "None"} | member(obj, "spec")
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec.get("ports"):
        spec["ports"] = [_port(port) for port in spec["ports"]]
    return obj | {"spec": spec}


def prepared(obj: Object, old: Object | None, used: Callable[[], set[str]]) -> Object:
    """Return a Service with its cluster IP, kept for life, and the families of addresses."""
    spec, before = dict(member(obj, "spec")), member(old or {}, "spec")
    status: Object = {"loadBalancer": {}} | (member(obj, "status") if old else {})
    if spec["type"] == "ExternalName":
        return obj | {"status": status}
    for key in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if not spec.get(key) and before.get(key):
            spec[key] = before[key]
    if not spec.get("clusterIP"):
        spec["clusterIP"] = free_address(used())
    dual = spec["clusterIP"] == "None" and not spec.get("selector")
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if dual else ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "RequireDualStack" if dual else "SingleStack")
    return obj | {"spec": spec, "status": status}


def _port(port: Object) -> Object:
    filled = {"protocol": "TCP"} | port
    return filled | {"targetPort": port.get("targetPort") or port.get("port")}


def free_address(used: set[str]) -> str:
    """Return an address that no Service has, drawn so that a freed one is not soon reused."""
    count = RANGE.num_addresses - 2
    start = secrets.randbelow(count)
    for step in range(count):
        address = str(RANGE[1 + (start + step) % count])
        if address not in used and address != API:
            return address
    raise StatusError(500, "InternalError", "failed to allocate a serviceIP: range is full")


def errors(obj: Object, old: Object | None, used: Callable[[], set[str]]) -> list[FieldError]:
    """Return what is wrong with a Service's ports and addresses."""
    spec, before = member(obj, "spec"), member(old or {}, "spec")
    found = list(_port_errors(spec))
    address = spec.get("clusterIP", "None")
    if old is not None and before.get("clusterIP") not in (address, None, ""):
        found.append(FieldError("spec.clusterIP", "invalid", address, "field is immutable"))
    elif old is None and address != "None":
        found += _address_errors(address, meta(obj)["name"], used)
    return found


def _port_errors(spec: Object) -> Iterator[FieldError]:
    ports = spec.get("ports") or []
    headless = spec.get("clusterIP") == "None" or spec.get("type") == "ExternalName"
    if not ports and not headless:
        yield FieldError("spec.ports", "required")
    names: set[str] = set()
    for index, port in enumerate(ports):
        path, name, number = f"spec.ports[{index}]", port.get("name", ""), port.get("port")
        if not name and len(ports) > 1:
            yield FieldError(f"{path}.name", "required")
        elif name in names:
            yield FieldError(f"{path}.name", "duplicate", name)
        names.add(name)
        if not isinstance(number, int) or not 0 < number < 65536:
            detail = "must be between 1 and 65535, inclusive"
            yield FieldError(f"{path}.port", "invalid", number, detail)


def _address_errors(address: str, name: str, used: Callable[[], set[str]]) -> Iterator[FieldError]:
    path = "spec.clusterIPs"
    try:
        inside = ipaddress.ip_address(address) in RANGE
    except ValueError:
        detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        yield FieldError(f"{path}[0]", "invalid", address, detail)
        return
    api = address == API and name == "kubernetes"
    if not inside:
        why = f"the provided IP ({address}) is not in the valid range. "
        detail = f"failed to allocate IP {address}: {why}The range of valid IPs is {RANGE}"
        yield FieldError(path, "invalid", [address], detail)
    elif not api and address in {*used(), API}:
        detail = f"failed to allocate IP {address}: provided IP is already allocated"
        yield FieldError(path, "invalid", [address], detail)
