"""Rules that bind several fields of an object together, each told twice: to the types and in CEL.

The generator of the CRDs (crd.py) writes the CEL into the schema of the class, so that the API
server refuses what `validate` (validation.py) refuses, in the same words. The CEL uses only what
a kube-apiserver has. Whether a single value is in its range stands in the field's metadata.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar

from llmaz.api.claims import ModelClaims, Role
from llmaz.api.openmodel import OpenModel, OpenModelSpec
from llmaz.api.playground import Playground, PlaygroundSpec
from llmaz.api.pod import EnvVar, EnvVarSource, LifecycleHandler, Probe, Resources
from llmaz.api.podtemplate import PodSpec, Volume
from llmaz.api.scaling import ElasticConfig, LoadTargets
from llmaz.api.service import RollingUpdate, Service
from llmaz.api.source import Hub, ModelHub, ModelSource

T = TypeVar("T")

LABEL_NAME = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
# The core Service `<name>-lb` must have a name of at most 63 characters that begins with a letter.
NAME_OF_SERVED = "^[a-z]([-a-z0-9]{0,58}[a-z0-9])?$"
LABEL_VALUE = "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"
SHARE = "^[0-9]+%$"
URI = (
    "(?i)^(oss://[^./:]+[.][^/:]+(:[0-9]+)?/.+|(s3|gcs|gs|hf|pvc|http|https)://[^/]+/.+"
    "|(host|file):///.+|ollama://[^/].*"
    # what drivers of fsspec read; whether the node has one, its agent says
    "|(abfss?|adl|az|box|dbfs|dropbox|gdrive|gist|github|hdfs|jlab|jupyter|lakefs|oci"
    "|ocilake|sftp|smb|ssh|tos|tosfs|wandb|webdav|webhdfs)://[^/]*/*[^/].*)$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Generic[T]):
    """What must hold for each value of one class.

    `field` is the key that the rule is about, empty where it is the object as a whole.
    """

    of: type[T]
    field: str = ""
    message: str
    cel: str
    holds: Callable[[T], bool]

    def is_broken_by(self, value: object) -> bool:
        return isinstance(value, self.of) and not self.holds(value)


def _within_limits(resources: Resources) -> bool:
    return all(
        request <= resources.limits[name]
        for name, request in resources.requests.items()
        if name in resources.limits
    )


def _is_uri(source: ModelSource) -> bool:
    uri = source.uri
    return uri is None or (re.fullmatch(URI, uri) is not None and uri.count("://") == 1)


def _exactly_one(of: type[T], **keys: str) -> Rule[T]:
    given = ", ".join(f"has(self.{key})" for key in keys.values())
    return Rule(
        of=of,
        message=f"exactly one of {', '.join(keys.values())} must be given",
        cel=f"[{given}].exists_one(given, given)",
        holds=lambda value: sum(getattr(value, name) is not None for name in keys) == 1,
    )


def _name(of: type[T], pattern: str, message: str) -> Rule[T]:
    name = attrgetter("metadata.name")
    return Rule(
        of=of,
        field="metadata.name",
        message=message,
        cel=f"self.metadata.name.matches('{pattern}')",
        holds=lambda value: re.fullmatch(pattern, name(value)) is not None,
    )


def _share(key: str, value: Callable[[RollingUpdate], int | str]) -> Rule[RollingUpdate]:
    return Rule(
        of=RollingUpdate,
        field=key,
        message="must be a number or a share such as 25%",
        cel=f"type(self.{key}) == int ? self.{key} >= 0 : self.{key}.matches('{SHARE}')",
        holds=lambda update: _is_share(value(update)),
    )


def _is_share(value: int | str) -> bool:
    return value >= 0 if isinstance(value, int) else re.fullmatch(SHARE, value) is not None


_SERVED_NAME = (
    "the name must be at most 60 lower case letters, digits and '-', begin with a letter and end "
    "with a letter or digit: with -lb added, it names a core Service"
)

_OPEN_MODEL: tuple[Rule[Any], ...] = (
    _name(
        OpenModel,
        LABEL_NAME,
        "the name must be at most 63 lower case letters, digits and '-', and begin and end with a "
        "letter or digit (dots are not allowed: write 0--5b for 0.5b)",
    ),
    Rule(
        of=OpenModelSpec,
        field="familyName",
        message="becomes a label, so it must be at most 63 letters, digits, '-', '_' and '.', and "
        "begin and end with a letter or digit",
        cel=f"self.familyName.matches('{LABEL_VALUE}')",
        holds=lambda spec: re.fullmatch(LABEL_VALUE, spec.family_name) is not None,
    ),
    Rule(
        of=ModelSource,
        message="modelHub or uri must be given",
        cel="has(self.modelHub) || has(self.uri)",
        holds=lambda source: source.model_hub is not None or source.uri is not None,
    ),
    Rule(
        of=ModelSource,
        field="uri",
        message="must be one of oss://<bucket>.<endpoint>/<path>, s3://<bucket>/<path>, "
        "gs://<bucket>/<path>, gcs://<bucket>/<path>, hf://<owner>/<name>, "
        "http(s)://<host>/<path>, pvc://<claim>/<path>, host:///<path>, file:///<path>, "
        "ollama://<name>, or what a driver of fsspec reads: az://, abfs://, hdfs://, sftp://, ...",
        cel=f"!has(self.uri) || (self.uri.matches('{URI}')"
        " && self.uri.indexOf('://') == self.uri.lastIndexOf('://'))",
        holds=_is_uri,
    ),
    Rule(
        of=ModelHub,
        field="filename",
        message="can't be given for ModelScope, only for Huggingface",
        cel="!has(self.filename) || self.name != 'ModelScope'",
        holds=lambda hub: hub.filename is None or hub.name is not Hub.MODELSCOPE,
    ),
    Rule(
        of=ModelHub,
        field="filename",
        message="can't be given together with allowPatterns or ignorePatterns",
        cel="!has(self.filename) || !(has(self.allowPatterns) || has(self.ignorePatterns))",
        holds=lambda hub: (
            hub.filename is None or (hub.allow_patterns is None and hub.ignore_patterns is None)
        ),
    ),
)

_CLAIMS: tuple[Rule[Any], ...] = (
    _name(Playground, NAME_OF_SERVED, _SERVED_NAME),
    _name(Service, NAME_OF_SERVED, _SERVED_NAME),
    _exactly_one(PlaygroundSpec, model_claim="modelClaim", model_claims="modelClaims"),
    Rule(
        of=ModelClaims,
        field="models",
        message="exactly one model must have the role main",
        cel="self.models.exists_one(model, model.role == 'main')",
        holds=lambda claims: sum(ref.role is Role.MAIN for ref in claims.models) == 1,
    ),
    Rule(
        of=ModelClaims,
        field="models",
        message="speculative decoding takes two models: one main and one draft",
        cel="!self.models.exists(model, model.role == 'draft') || self.models.size() == 2",
        holds=lambda claims: claims.draft is None or len(claims.models) == 2,
    ),
    Rule(
        of=ElasticConfig,
        field="minReplicas",
        message="must not be greater than maxReplicas",
        cel="self.minReplicas <= self.maxReplicas",
        holds=lambda elastic: elastic.min_replicas <= elastic.max_replicas,
    ),
    Rule(
        of=ElasticConfig,
        field="scaleTriggerRef",
        message="can't be given together with scaleTrigger",
        cel="!(has(self.scaleTrigger) && has(self.scaleTriggerRef))",
        holds=lambda elastic: elastic.scale_trigger is None or elastic.scale_trigger_ref is None,
    ),
    Rule(
        of=LoadTargets,
        field="sleepSeconds",
        message="must be less than idleSeconds, after which the engine stops",
        cel="!has(self.sleepSeconds) || self.sleepSeconds < self.idleSeconds",
        holds=lambda load: load.sleep_seconds is None or load.sleep_seconds < load.idle_seconds,
    ),
)

_WORKLOAD: tuple[Rule[Any], ...] = (
    Rule(
        of=PodSpec,
        field="containers",
        message="one container must be named model-runner",
        cel="self.containers.exists(container, container.name == 'model-runner')",
        holds=lambda pod: pod.model_runner is not None,
    ),
    _share("maxUnavailable", attrgetter("max_unavailable")),
    _share("maxSurge", attrgetter("max_surge")),
    Rule(
        of=RollingUpdate,
        message="maxUnavailable and maxSurge can't both be 0: no replica could ever be replaced",
        cel="!(string(self.maxUnavailable) in ['0', '0%'] && string(self.maxSurge) in ['0', '0%'])",
        holds=lambda update: (
            not ({str(update.max_unavailable), str(update.max_surge)} <= {"0", "0%"})
        ),
    ),
    _exactly_one(Volume, empty_dir="emptyDir", host_path="hostPath"),
)

_CONTAINER: tuple[Rule[Any], ...] = (
    Rule(
        of=Resources,
        field="limits",
        message="no limit may be less than the request of the same name",
        cel="!has(self.limits) || !has(self.requests) || self.requests.all(name, "
        "!(name in self.limits) || quantity(string(self.requests[name]))"
        ".compareTo(quantity(string(self.limits[name]))) <= 0)",
        holds=_within_limits,
    ),
    Rule(
        of=EnvVar,
        field="value",
        message="can't be given together with valueFrom",
        cel="!has(self.valueFrom) || !has(self.value) || self.value == ''",
        holds=lambda env: env.value_from is None or not env.value,
    ),
    _exactly_one(
        EnvVarSource,
        field_ref="fieldRef",
        secret_key_ref="secretKeyRef",  # noqa: S106  # a key of manifests, not a password
        config_map_key_ref="configMapKeyRef",
    ),
    _exactly_one(Probe, http_get="httpGet", tcp_socket="tcpSocket", exec="exec", grpc="grpc"),
    _exactly_one(
        LifecycleHandler, exec="exec", http_get="httpGet", tcp_socket="tcpSocket", sleep="sleep"
    ),
)

RULES: tuple[Rule[Any], ...] = (*_OPEN_MODEL, *_CLAIMS, *_WORKLOAD, *_CONTAINER)
