"""A pod template -> the engine that stands for it, but for what its replica and place decide."""

from collections.abc import Mapping

from llmaz.api import names
from llmaz.api.manifest import digest, encode
from llmaz.api.node import AssignedEngine, AssignedModel
from llmaz.api.openmodel import OpenModel
from llmaz.api.podtemplate import Container, PodSpec
from llmaz.api.quantity import Quantity
from llmaz.api.service import Service
from llmaz.controller import sources
from llmaz.controller.merging import merged_envs
from llmaz.controller.namedports import hooks_with_numbers, with_numbers
from llmaz.controller.resolve import SHARED_MEMORY_PATH

_PATHS = (names.MODEL_PATH, names.DRAFT_MODEL_PATH)


def _takes_any_port(runner: Container) -> bool:
    """Tell whether the engine is told its port; otherwise it listens on a fixed one."""
    return _is_told(runner, names.PORT)


def _opens_files(runner: Container) -> bool:
    """Tell whether the engine is given a path, and not a name under which it pulls the weights."""
    return any(_is_told(runner, path) for path in _PATHS)


def _is_told(runner: Container, variable: str) -> bool:
    texts = (*runner.command, *runner.args, *(env.value for env in runner.env))
    return any(f"$({variable})" in text for text in texts)


def _port(runner: Container) -> int:
    return runner.ports[0].container_port if runner.ports else names.ENGINE_PORT


def pattern_of(service: Service, pod: PodSpec, models: Mapping[str, OpenModel]) -> AssignedEngine:
    """Return the engines that are made from a pod template, but for their replica and place."""
    runner = pod.model_runner
    assert runner is not None  # else the Service was refused
    claims = service.spec.model_claims
    main = models[claims.main]
    skip = _skips_loader(service)
    tokens = sources.credentials(main, skip=skip)
    grace = pod.termination_grace_period_seconds
    return AssignedEngine(
        id="",
        service=service.metadata.name,
        playground=service.metadata.labels.get(names.PLAYGROUND_NAME),
        model=main.served_name,
        main_model=claims.main,
        draft_model=claims.draft,
        weights=digest([encode(models[ref.name].spec.source) for ref in claims.models]),
        runtime=service.metadata.annotations.get(names.RUNTIME_NAME, ""),
        image=runner.image,
        command=runner.command,
        args=runner.args,
        requirements=tuple(service.metadata.annotations.get(names.REQUIREMENTS, "").splitlines()),
        env=merged_envs(tokens, runner.env),
        shared_memory_size=_shared_memory(pod, runner),
        resources=runner.resources,
        port=None if _takes_any_port(runner) else _port(runner),
        startup_probe=with_numbers(runner.startup_probe, runner.ports),
        liveness_probe=with_numbers(runner.liveness_probe, runner.ports),
        readiness_probe=with_numbers(runner.readiness_probe, runner.ports),
        lifecycle=hooks_with_numbers(runner.lifecycle, runner.ports),
        termination_grace_period_seconds=(
            names.TERMINATION_GRACE_SECONDS if grace is None else grace
        ),
        skip_model_loader=sources.is_loaded_by_engine(
            main, skip=skip, opens_files=_opens_files(runner)
        ),
    )


def _shared_memory(pod: PodSpec, runner: Container) -> Quantity | None:
    mounted = {
        mount.name for mount in runner.volume_mounts if mount.mount_path == SHARED_MEMORY_PATH
    }
    sizes = (
        volume.empty_dir.size_limit
        for volume in pod.volumes
        if volume.name in mounted and volume.empty_dir is not None
    )
    return next(sizes, None)


def models_of(
    service: Service, pod: PodSpec, models: Mapping[str, OpenModel]
) -> tuple[AssignedModel, ...]:
    """Return the models that a node must hold for the engines of a Service."""
    skip = _skips_loader(service)
    opens_files = pod.model_runner is not None and _opens_files(pod.model_runner)
    return tuple(
        AssignedModel(
            name=ref.name,
            source=models[ref.name].spec.source,
            secret_namespace=service.metadata.namespace,
            secret=models[ref.name].spec.secret,
        )
        for ref in service.spec.model_claims.models
        if not sources.is_loaded_by_engine(models[ref.name], skip=skip, opens_files=opens_files)
    )


def _skips_loader(service: Service) -> bool:
    return service.metadata.annotations.get(names.SKIP_MODEL_LOADER) == "true"
