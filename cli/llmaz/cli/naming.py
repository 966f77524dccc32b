"""From what a person types after `llmaz run` to an OpenModel and a Playground. Pure."""

import re
from dataclasses import dataclass
from pathlib import Path

from llmaz.api.manifest import Manifest, decode
from llmaz.api.playground import Playground
from llmaz.api.validation import validate
from llmaz.cli.errors import USAGE, CliError

_LONGEST_NAME = 60  # of a Playground
_HUB_ID = re.compile(r"^[\w.-]+/[\w.-]+$")
_HUB_FILE = re.compile(r"^([\w.-]+/[\w.-]+)/(.+\.gguf)$")
_HINT = (
    "write a Hugging Face id (Qwen/Qwen2.5-0.5B-Instruct), one of its files "
    "(Qwen/Qwen2.5-0.5B-Instruct-GGUF/model.gguf), the path of a .gguf file, or a URI (s3://...)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A model to run."""

    source: Manifest  # spec.source of its OpenModel
    name: str
    is_gguf: bool


def wanted(text: str, *, directory: Path, name: str | None = None) -> Wanted:
    """Read a model's reference; a relative path starts at `directory`."""
    is_gguf = text.endswith(".gguf")
    chosen = _checked(name) if name else dns_label(text)
    if "://" in text:
        return Wanted(source={"uri": text}, name=chosen, is_gguf=is_gguf)
    path = directory / text
    if path.is_file():
        if not is_gguf:
            raise CliError(f"{text} is not a .gguf file", hint=_HINT, code=USAGE)
        # Links are not followed: the blob of a cache has another name, and a link may be moved.
        place = path if ".." not in path.parts else path.parent.resolve() / path.name
        return Wanted(source={"uri": f"host://{place}"}, name=chosen, is_gguf=True)
    if match := _HUB_FILE.match(text):
        hub: Manifest = {"modelID": match[1], "filename": match[2]}
        return Wanted(source={"modelHub": hub}, name=chosen, is_gguf=True)
    if _HUB_ID.match(text) and not is_gguf:
        return Wanted(source={"modelHub": {"modelID": text}}, name=chosen, is_gguf=False)
    if not text.strip():
        raise CliError("no model is named", hint=_HINT, code=USAGE)
    what = "there is no file" if is_gguf or text.startswith(("/", ".")) else "no model is meant by"
    raise CliError(f"{what} {text}", hint=_HINT, code=USAGE)


def dns_label(text: str) -> str:
    """Make a name of the last part of a path, id or URI: `Qwen2.5-0.5B` gives `qwen2-5-0-5b`.

    It begins with a letter, as a Playground's must.
    """
    last = text.rstrip("/").rpartition("/")[2].removesuffix(".gguf").lower()
    name = re.sub(r"[^a-z0-9]+", "-", last).strip("-")
    begun = name if name[:1].isalpha() else f"model-{name}"
    return begun[:_LONGEST_NAME].strip("-")


def _checked(name: str) -> str:
    """Refuse a name that the API server would refuse, before anything is sent."""
    made = playground(name, name, backend="any", replicas=1, namespace="default")
    for problem in validate(decode(Playground, made)):
        raise CliError(f"--name {name}: {problem.reason}", code=USAGE)
    return name


def open_model(model: Wanted, *, device: str | None) -> Manifest:
    """Return the OpenModel; `device` is the resource that each replica takes one of, if any."""
    spec: Manifest = {"familyName": model.name, "source": model.source}
    if device is not None:
        flavor: Manifest = {"name": "default", "limits": {device: 1}}
        spec["inferenceConfig"] = {"flavors": [flavor]}
    return {
        "apiVersion": "llmaz.io/v1alpha1",
        "kind": "OpenModel",
        "metadata": {"name": model.name},
        "spec": spec,
    }


def playground(name: str, model: str, *, backend: str, replicas: int, namespace: str) -> Manifest:
    return {
        "apiVersion": "inference.llmaz.io/v1alpha1",
        "kind": "Playground",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "modelClaim": {"modelName": model},
            "backendRuntimeConfig": {"backendName": backend},
        },
    }


def backend_for(model: Wanted, *, device: str | None) -> str:
    """Choose the engine: llama.cpp for GGUF files, on the CPU where there is nothing else."""
    if not model.is_gguf:
        return "vllm"
    return "llamacpp-cpu" if device is None else "llamacpp"
