"""Playground, OpenModels and BackendRuntime -> the inference Service that serves it, or a refusal.

What depends on the flavor that a replica gets, TP and PP, stays a reference to a variable in the
Service's arguments: replicas of one Service may run on different flavors.
"""

import dataclasses
from collections.abc import Mapping

from llmaz.api import names, template
from llmaz.api.backendruntime import (
    DEFAULT_CONFIG,
    MODEL_PARALLELISM,
    SPECULATIVE_DECODING,
    BackendRuntimeSpec,
    RecommendedConfig,
)
from llmaz.api.kinds import BACKEND_RUNTIME, PLAYGROUND
from llmaz.api.meta import ObjectMeta, OwnerReference
from llmaz.api.openmodel import Flavor, OpenModel
from llmaz.api.playground import Playground
from llmaz.api.podtemplate import (
    Container,
    ContainerPort,
    EmptyDir,
    PodSpec,
    PodTemplate,
    Volume,
    VolumeMount,
)
from llmaz.api.quantity import Quantity
from llmaz.api.service import Service, ServiceSpec, WorkloadTemplate
from llmaz.api.slot import SLOT, Launcher
from llmaz.controller import sources
from llmaz.controller.absent import absent
from llmaz.controller.actions import Refusal
from llmaz.controller.flavors import ANY, candidate_flavors, hosts_of
from llmaz.controller.grouptemplate import group_template
from llmaz.controller.ladder import as_used
from llmaz.controller.merging import merged_envs, merged_resources
from llmaz.controller.snapshot import ClusterSnapshot

SHARED_MEMORY = "dshm"
SHARED_MEMORY_PATH = "/dev/shm"  # noqa: S108  # where every program looks for it
_BY_FLAVOR = {"TP": f"$({names.TP})", "PP": f"$({names.PP})"}


def missing_model(playground: Playground, models: Mapping[str, OpenModel]) -> str | None:
    """Return the name of the first claimed OpenModel that does not exist."""
    claimed = (ref.name for ref in playground.spec.claims.models)
    return next((name for name in claimed if name not in models), None)


def resolve(playground: Playground, snapshot: ClusterSnapshot) -> Service | Refusal:
    """Return the Service for a Playground whose OpenModels exist."""
    wanted = playground.spec.backend_runtime_config
    runtime = snapshot.runtimes.get(wanted.backend_name)
    if runtime is None:
        return absent(BACKEND_RUNTIME, wanted.backend_name, snapshot)
    launcher = wanted.launcher or runtime.spec.launcher or snapshot.slot_policy.launcher
    # In a slot the program is the image's: what brings one to a node is none of its business.
    spec = dataclasses.replace(runtime.spec, process=None) if launcher == SLOT else runtime.spec
    spec = as_used(spec, playground)
    flavors = candidate_flavors(playground.spec.claims, snapshot.models)
    if isinstance(flavors, Refusal):
        return flavors
    config = _config(playground, spec, flavors)
    if isinstance(config, Refusal):
        return config
    args = _arguments(playground, config, snapshot.models, flavors)
    if isinstance(args, Refusal):
        return args
    pod = _pod(playground, spec, config, args)
    commands = spec.multi_host_commands
    is_grouped = commands is not None and max(map(hosts_of, flavors)) > 1
    alone = WorkloadTemplate(worker_template=PodTemplate(spec=pod))
    template_ = group_template(pod, commands, flavors) if commands and is_grouped else alone
    return _service(playground, spec, template_, launcher)


def _config(
    playground: Playground, runtime: BackendRuntimeSpec, flavors: tuple[Flavor, ...]
) -> RecommendedConfig | Refusal:
    wanted = playground.spec.backend_runtime_config
    name = config_name(playground, runtime, flavors)
    found = runtime.config(name)
    if found is not None:
        more = runtime.sleep.args if runtime.sleep else ()
        return dataclasses.replace(found, args=(*found.args, *more)) if more else found
    if not runtime.recommended_configs and wanted.config_name is None:
        return RecommendedConfig(resources=runtime.resources)
    known = ", ".join(config.name for config in runtime.recommended_configs) or "none"
    return Refusal(
        reason="ConfigNotFound",
        message=f"BackendRuntime {wanted.backend_name} has no recommendedConfig {name}; "
        f"it has {known}",
    )


def config_name(
    playground: Playground, runtime: BackendRuntimeSpec, flavors: tuple[Flavor, ...]
) -> str:
    """Return the name of a Playground's configuration: it may name none."""
    named = playground.spec.backend_runtime_config.config_name
    if named:
        return named
    if playground.spec.claims.draft:
        return SPECULATIVE_DECODING
    goes_over_nodes = any(hosts_of(flavor) > 1 for flavor in flavors)
    is_grouped = runtime.multi_host_commands is not None and goes_over_nodes
    if is_grouped and runtime.config(MODEL_PARALLELISM) is not None:
        return MODEL_PARALLELISM
    return DEFAULT_CONFIG


def _arguments(
    playground: Playground,
    config: RecommendedConfig,
    models: Mapping[str, OpenModel],
    flavors: tuple[Flavor, ...],
) -> tuple[str, ...] | Refusal:
    """Render the configuration's arguments and add the Playground's, which are literal."""
    if (strange := _strange(playground)) is not None:
        return strange
    claims = playground.spec.claims
    skip = names.SKIP_MODEL_LOADER in _passed_on(playground)
    common = sources.placeholders(models[claims.main], models.get(claims.draft or ""), skip=skip)
    for flavor in flavors:
        mine = template.placeholders(model_name="", params=flavor.params)
        known = common | {key: value for key, value in mine.items() if key in _BY_FLAVOR}
        problem = template.render(config.args, known)
        if isinstance(problem, template.UnknownPlaceholder):
            return Refusal(
                reason="InvalidTemplate",
                message=f"recommendedConfig {config.name} of BackendRuntime "
                f"{playground.spec.backend_runtime_config.backend_name}, on {_named(flavor)}: "
                f"{problem}",
            )
    rendered = template.render(config.args, common | _BY_FLAVOR)
    assert not isinstance(rendered, template.UnknownPlaceholder)  # the loop has seen each of them
    return (*rendered, *playground.spec.backend_runtime_config.args)


def _named(flavor: Flavor) -> str:
    return flavor.name if flavor is ANY else f"flavor {flavor.name}"


def _strange(playground: Playground) -> Refusal | None:
    """Refuse what is written as a placeholder and is none: an engine would take it as it is."""
    for index, text in enumerate(playground.spec.backend_runtime_config.args):
        if (found := template.unfilled(text)) is not None:
            return Refusal(
                reason="InvalidTemplate",
                message=f"spec.backendRuntimeConfig.args[{index}]: {found} is no placeholder, "
                "and a Playground's arguments reach the engine as they are",
            )
    return None


def _pod(
    playground: Playground,
    runtime: BackendRuntimeSpec,
    config: RecommendedConfig,
    args: tuple[str, ...],
) -> PodSpec:
    wanted = playground.spec.backend_runtime_config
    command = runtime.process.command if runtime.process else ()
    shared_memory = wanted.shared_memory_size or config.shared_memory_size
    container = Container(
        name=names.MODEL_RUNNER,
        image=f"{runtime.image}:{wanted.version or runtime.version}",
        command=command or runtime.command,
        args=args,
        env=merged_envs(runtime.envs, wanted.envs),
        ports=(ContainerPort(name="http", container_port=names.ENGINE_PORT),),
        resources=merged_resources(config.resources, wanted.resources),
        volume_mounts=_mounts(shared_memory),
        startup_probe=runtime.startup_probe,
        liveness_probe=runtime.liveness_probe,
        readiness_probe=runtime.readiness_probe,
        lifecycle=runtime.lifecycle,
    )
    return PodSpec(
        containers=(container,),
        volumes=_volumes(shared_memory),
        termination_grace_period_seconds=names.TERMINATION_GRACE_SECONDS,
    )


def _mounts(shared_memory: Quantity | None) -> tuple[VolumeMount, ...]:
    if shared_memory is None:
        return ()
    return (VolumeMount(name=SHARED_MEMORY, mount_path=SHARED_MEMORY_PATH),)


def _volumes(shared_memory: Quantity | None) -> tuple[Volume, ...]:
    if shared_memory is None:
        return ()
    return (
        Volume(name=SHARED_MEMORY, empty_dir=EmptyDir(medium="Memory", size_limit=shared_memory)),
    )


def _service(
    playground: Playground,
    runtime: BackendRuntimeSpec,
    template_: WorkloadTemplate,
    launcher: Launcher,
) -> Service:
    meta = playground.metadata
    required = _requirements(playground, runtime)
    owner = OwnerReference(
        api_version=PLAYGROUND.api_version,
        kind=PLAYGROUND.kind,
        name=meta.name,
        uid=meta.uid,
        controller=True,
        block_owner_deletion=True,
    )
    return Service(
        metadata=ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            labels={
                names.MODEL_NAME: playground.spec.claims.main,
                names.PLAYGROUND_NAME: meta.name,
                **({names.QUEUE: meta.labels[names.QUEUE]} if names.QUEUE in meta.labels else {}),
            },
            annotations=_passed_on(playground)
            | ({names.LAUNCHER: launcher} if _is_said(launcher, playground, runtime) else {})
            | {names.RUNTIME_NAME: playground.spec.backend_runtime_config.backend_name}
            | ({names.REQUIREMENTS: "\n".join(required)} if required else {})
            | ({names.SLEEPS: "true"} if runtime.sleep else {}),
            owner_references=(owner,),
        ),
        spec=ServiceSpec(
            model_claims=playground.spec.claims,
            replicas=playground.spec.replicas,
            workload_template=template_,
            placement=playground.spec.placement,
        ),
    )


def _is_said(launcher: Launcher, playground: Playground, runtime: BackendRuntimeSpec) -> bool:
    """Tell whether a Service has to say how its engines are started: where it is not by processes.

    A Playground or a runtime that asks for processes says so as well, whatever the default becomes.
    """
    asked = playground.spec.backend_runtime_config.launcher or runtime.launcher
    return launcher == SLOT or asked is not None


def _requirements(playground: Playground, runtime: BackendRuntimeSpec) -> tuple[str, ...]:
    """Return the packages that bring a process' program, of the version that an image would have.

    What is no requirement then, as with the version `latest`, the node says of it.
    """
    required = runtime.process.requirements if runtime.process else ()
    tag = playground.spec.backend_runtime_config.version or runtime.version
    rendered = template.render(required, {"Version": tag.removeprefix("v")})
    return required if isinstance(rendered, template.UnknownPlaceholder) else rendered


def _passed_on(playground: Playground) -> dict[str, str]:
    """Return the annotations that the Playground's Service has as well."""
    said = playground.metadata.annotations
    passed = {names.REVISION: said[names.REVISION]} if said.get(names.REVISION) else {}
    if said.get(names.SKIP_MODEL_LOADER) == "true":
        passed[names.SKIP_MODEL_LOADER] = "true"
    return passed
