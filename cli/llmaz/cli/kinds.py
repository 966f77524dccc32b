"""Which kind a word means: `pl`, `playgrounds`, `playground`, `playgrounds.inference.llmaz.io`."""

from collections.abc import Mapping

from llmaz.api import kinds
from llmaz.api.kinds import Kind
from llmaz.cli.errors import USAGE, CliError

_SHORT: Mapping[str, Kind] = {
    "om": kinds.OPEN_MODEL,
    "pl": kinds.PLAYGROUND,
    "isvc": kinds.SERVICE,
    "br": kinds.BACKEND_RUNTIME,
    "infn": kinds.INFERENCE_NODE,
    "tn": kinds.TENANT,
    "no": kinds.NODE,
    "ns": kinds.NAMESPACE,
    "cm": kinds.CONFIG_MAP,
    "svc": kinds.CORE_SERVICE,
    "po": kinds.POD,
    "hpa": kinds.HORIZONTAL_POD_AUTOSCALER,
    "pdb": kinds.POD_DISRUPTION_BUDGET,
    "controllerrevision": kinds.CONTROLLER_REVISION,
    "ev": kinds.EVENT,
    "crd": kinds.CUSTOM_RESOURCE_DEFINITION,
    "secret": kinds.SECRET,
    "endpointslice": kinds.ENDPOINT_SLICE,
    "lease": kinds.LEASE,
    "pc": kinds.PRIORITY_CLASS,
}


def named(text: str) -> Kind:
    """Return the kind that a word on the command line names; of two, the one of llmaz."""
    word = text.lower()
    if word in _SHORT:
        return _SHORT[word]
    for kind in _SHORT.values():
        if word in (kind.plural, kind.kind.lower(), f"{kind.plural}.{kind.group}"):
            return kind
    known = ", ".join(sorted({kind.plural for kind in _SHORT.values()}))
    raise CliError(f"there is no kind {text!r}", hint=f"kinds are: {known}", code=USAGE)


def of_manifest(manifest: Mapping[str, object], where: str) -> Kind:
    """Return the kind that a manifest says it is."""
    version, name = manifest.get("apiVersion"), manifest.get("kind")
    for kind in _SHORT.values():
        if (kind.api_version, kind.kind) == (version, name):
            return kind
    if not version or not name:
        raise CliError(f"{where}: apiVersion and kind are required")
    raise CliError(
        f"{where}: {version} {name} is not a kind of llmaz",
        hint="apply it with kubectl; `llmaz kubeconfig` prints the kubeconfig to use",
    )


def label(kind: Kind, name: str) -> str:
    """Name one object as kubectl does: `playground.inference.llmaz.io/qwen`."""
    group = f".{kind.group}" if kind.group else ""
    return f"{kind.kind.lower()}{group}/{name}"
