"""Every rule and default of upstream's webhooks, put to the types and to the CRD alike.

The names V1, D1 and so on are upstream's own cases in order, one table for each kind. Where llmaz
departs from upstream on purpose, the case says so; docs/compatibility.md gives the reason.
"""

from dataclasses import dataclass

import pytest

from llmaz.api.manifest import Json, Manifest
from llmaz.api.rules import RULES
from support import judges
from support.judges import Judge
from support.manifests import (
    backend_runtime,
    claims,
    model_from,
    model_of_hub,
    open_model,
    playground,
    service,
)

JUDGES = [pytest.param(judges.types, id="types"), pytest.param(judges.crd, id="crd")]
NAME = "metadata.name"  # which a CRD reports of the object as a whole


@dataclass(frozen=True)
class Case:
    """A manifest, and the path that is refused; None where it is accepted."""

    id: str
    manifest: Manifest
    refused: str | None = None


def runtime_config(**config: Json) -> Manifest:
    return playground(backendRuntimeConfig=config)


def elastic(**config: Json) -> Manifest:
    return playground(elasticConfig=config)


def config(name: str = "default", **resources: Json) -> Manifest:
    return {"name": name, "resources": resources} if resources else {"name": name}


HUB = "spec.source.modelHub.filename"
URI = "spec.source.uri"
OPEN_MODELS = [
    Case("V1 Hugging Face", open_model()),
    Case("V2 ModelScope", model_of_hub(name="ModelScope")),
    Case("V3 a dot in the name", open_model("qwen-2-0.5b"), NAME),
    Case("V4 OSS", model_from("oss://bucket.endpoint/models/meta-llama-3-8B")),
    Case("OSS with a port", model_from("oss://bucket.endpoint:8443/models/m")),
    Case("OSS with a port that is none", model_from("oss://bucket.endpoint:x/models/m"), URI),
    Case("V5 host", model_from("host:///models/meta-llama-3-8B")),
    Case("V6 unknown scheme", model_from("unknown://bucket.endpoint/models/m"), URI),
    Case("V7 OSS without a bucket", model_from("oss://endpoint/models/m"), URI),
    Case("V8 unknown hub", model_of_hub(name="unknown"), "spec.source.modelHub.name"),
    Case("V9 no source", open_model(source={}), "spec.source"),
    Case("V10 filename", model_of_hub(filename="m.gguf")),
    Case("V11 filename, allow", model_of_hub(filename="m", allowPatterns=["*"]), HUB),
    Case("V12 filename, ignore", model_of_hub(filename="m", ignorePatterns=["*"]), HUB),
    Case("V13 both patterns", model_of_hub(allowPatterns=["*"], ignorePatterns=["*.bin"])),
    Case("V14 filename with ModelScope", model_of_hub(name="ModelScope", filename="m"), HUB),
    Case("filename, empty patterns", model_of_hub(filename="m", allowPatterns=[]), HUB),
    Case("hub and URI", open_model(source={"modelHub": {"modelID": "a/b"}, "uri": "s3://a/b"})),
    Case("S3", model_from("s3://bucket/path")),
    Case("upper case scheme", model_from("S3://bucket/path")),
    Case("GCS", model_from("gcs://bucket/path")),
    Case("GS", model_from("gs://bucket/path")),
    Case("Ollama", model_from("ollama://qwen2:0.5b")),
    Case("file", model_from("file:///models/m.gguf")),
    Case("HTTPS", model_from("https://host:8443/m.gguf")),
    Case("Hugging Face URI", model_from("hf://Qwen/Qwen2.5-7B")),
    Case("claim of a volume", model_from("pvc://claim/models/m")),
    Case("Azure", model_from("az://container/models/m")),
    Case("SFTP", model_from("sftp://host/m.gguf")),
    Case("HDFS without a path", model_from("hdfs://"), URI),
    Case("files of the node by a driver", model_from("local:///models/m"), URI),
    Case("S3 without a path", model_from("s3://bucket"), URI),
    Case("no scheme", model_from("bucket/path"), URI),
    Case("two schemes", model_from("s3://bucket/path://x"), URI),
    Case("OSS with the dot in the path", model_from("oss://endpoint/models/m.gguf"), URI),
    Case("host without a path", model_from("host://models"), URI),
    Case("a family that is no label", open_model(familyName="llama 3"), "spec.familyName"),
    Case("a family that is too long", open_model(familyName="x" * 64), "spec.familyName"),
    Case("a hub without a repository", model_of_hub(modelID=""), "spec.source.modelHub.modelID"),
    Case("no family", open_model(familyName=None), "spec.familyName"),
    Case(
        "nine flavors",
        open_model(inferenceConfig={"flavors": [{"name": str(i)} for i in range(9)]}),
        "spec.inferenceConfig.flavors",
    ),
    Case(
        "flavors of one name",
        open_model(inferenceConfig={"flavors": [{"name": "a"}, {"name": "a"}]}),
    ),
    Case(
        "a flavor's unknown field",
        open_model(inferenceConfig={"flavors": [{"name": "a", "gpus": 1}]}),
        "spec.inferenceConfig.flavors[0].gpus",
    ),
    Case(
        "limits under both names",
        open_model(inferenceConfig={"flavors": [{"name": "a", "limits": {}, "requests": {}}]}),
        "spec.inferenceConfig.flavors[0].requests",
    ),
    Case(
        "a limit that is no quantity",
        open_model(inferenceConfig={"flavors": [{"name": "a", "limits": {"gpu": "many"}}]}),
        "spec.inferenceConfig.flavors[0].limits.gpu",
    ),
]

ROLES = "spec.modelClaims.models"
PLAYGROUNDS = [
    Case("V1 normal", playground()),
    Case("V2 a dot in the name", playground("playground-0.5b"), NAME),
    Case(
        "V3 a request over its limit",
        runtime_config(resources={"requests": {"cpu": 10}, "limits": {"cpu": 5}}),
        "spec.backendRuntimeConfig.resources.limits",
    ),
    Case("V4 a limit alone", runtime_config(resources={"limits": {"cpu": 5}})),
    Case("V5 no claim", playground(modelClaim=None), "spec"),
    Case(
        "V6 both claims",
        playground(modelClaim={"modelName": "a"}, modelClaims=claims("main")),
        "spec",
    ),
    Case("V7 unknown backend", runtime_config(backendName="unknown")),
    Case("V8 two drafts", playground(modelClaims=claims("main", "draft", "draft")), ROLES),
    Case("V9 a draft alone", playground(modelClaims=claims("draft")), ROLES),
    Case(
        "V10 a trigger without rules",
        elastic(maxReplicas=2, scaleTrigger={}),
        "spec.elasticConfig.scaleTrigger.hpa",
    ),
    Case("V11 min 0 (upstream refuses)", elastic(minReplicas=0, maxReplicas=10)),
    Case(
        "V12 min over max", elastic(minReplicas=10, maxReplicas=1), "spec.elasticConfig.minReplicas"
    ),
    Case("V13 min equals max (upstream refuses)", elastic(minReplicas=1, maxReplicas=1)),
    Case("a draft", playground(modelClaims=claims("main", "draft"))),
    Case("two mains (upstream accepts)", playground(modelClaims=claims("main", "main")), ROLES),
    Case("no model", playground(modelClaims={"models": []}), ROLES),
    Case("empty claims", playground(modelClaims={}), ROLES),
    Case("an unknown role", playground(modelClaims=claims("lora")), f"{ROLES}[0].role"),
    Case("no max", elastic(minReplicas=1), "spec.elasticConfig.maxReplicas"),
    Case("negative replicas", playground(replicas=-1), "spec.replicas"),
    Case("no replicas", playground(replicas=0)),
    Case(
        "equal amounts",
        runtime_config(resources={"requests": {"cpu": "1000m"}, "limits": {"cpu": 1}}),
    ),
    Case(
        "both triggers",
        elastic(maxReplicas=2, scaleTrigger={"hpa": {}}, scaleTriggerRef={"name": "a"}),
        "spec.elasticConfig.scaleTriggerRef",
    ),
    Case("a name that begins with a digit", playground("4090"), NAME),
    Case("a name too long for its -lb", playground("a" * 61), NAME),
    Case("the longest name", playground("a" * 60)),
    Case(
        "a backend under both names",
        runtime_config(name="sglang", backendName="sglang"),
        "spec.backendRuntimeConfig.name",
    ),
    Case(
        "a variable with two values",
        runtime_config(
            envs=[{"name": "A", "value": "b", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]
        ),
        "spec.backendRuntimeConfig.envs[0].value",
    ),
    Case("a misspelt field", playground(modelCliam={"modelName": "a"}), "spec.modelCliam"),
]

CONTAINERS = "spec.workloadTemplate.workerTemplate.spec.containers"
SERVICES = [
    Case("V1 normal", service()),
    Case("V2 a dot in the name", service("service-0.5b"), NAME),
    Case("V3 no model-runner", service(container="model-runner-fake"), CONTAINERS),
    Case("V4 three models", service(modelClaims=claims("main", "draft", "draft")), ROLES),
    Case("V5 a role left out", service(modelClaims=claims(None, "draft"))),
    Case("V6 a draft alone", service(modelClaims=claims("draft")), ROLES),
    Case("no template", service(workloadTemplate={}), "spec.workloadTemplate.workerTemplate"),
    Case(
        "a share of the replicas",
        service(rolloutStrategy={"rollingUpdateConfiguration": {"maxUnavailable": "25%"}}),
    ),
    Case(
        "no share at all",
        service(rolloutStrategy={"rollingUpdateConfiguration": {"maxSurge": "a few"}}),
        "spec.rolloutStrategy.rollingUpdateConfiguration.maxSurge",
    ),
    Case(
        "an update that can't move",
        service(rolloutStrategy={"rollingUpdateConfiguration": {"maxUnavailable": "0%"}}),
        "spec.rolloutStrategy.rollingUpdateConfiguration",
    ),
]

RUNTIMES = [
    Case("V1 normal", backend_runtime()),
    Case(
        "V2 a limit under its request",
        backend_runtime(
            recommendedConfigs=[config(requests={"memory": "8Gi"}, limits={"memory": "8G"})]
        ),
        "spec.recommendedConfigs[0].resources.limits",
    ),
    Case("V3 unknown configuration", backend_runtime(recommendedConfigs=[config("mine")])),
    Case("V4 no resources", backend_runtime(recommendedConfigs=[config()])),
    Case(
        "two configurations of one name",
        backend_runtime(recommendedConfigs=[config(), config()]),
        "spec.recommendedConfigs[1]",
    ),
    Case("no image", backend_runtime(image=None), "spec.image"),
    Case("no version", backend_runtime(version=None), "spec.version"),
    Case("both dialects", backend_runtime(command=["a"], commands=["b"], args=[config()])),
    Case("a probe that asks nothing", backend_runtime(livenessProbe={}), "spec.livenessProbe"),
]


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{kind} {case.id}")
        for kind, cases in {
            "OpenModel": OPEN_MODELS,
            "Playground": PLAYGROUNDS,
            "Service": SERVICES,
            "BackendRuntime": RUNTIMES,
        }.items()
        for case in cases
    ],
)
def test_both_refuse_the_same_at_the_same_place(case: Case, judge: Judge) -> None:
    verdict = judge(case.manifest)
    if case.refused is None:
        assert verdict.problems == ()
    else:
        place = "" if case.refused == NAME and judge is judges.crd else case.refused
        assert verdict.is_about(place), verdict.problems


@pytest.mark.parametrize("case", [*OPEN_MODELS, *PLAYGROUNDS, *SERVICES], ids=lambda case: case.id)
def test_rules_across_fields_are_told_in_the_same_words(case: Case) -> None:
    said = {words for _, words in judges.types(case.manifest).problems}
    heard = " ".join(words for _, words in judges.crd(case.manifest).problems)
    rules = {rule.message for rule in RULES}
    assert all(words in heard for words in said & rules)
