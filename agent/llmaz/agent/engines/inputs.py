"""What an engine needs before it can start: weights and programs. Pure."""

from collections.abc import Mapping

from llmaz.agent.engines.state import EnvironmentBuilding, EnvironmentReady
from llmaz.api.node import AssignedEngine


def missing_model(
    engine: AssignedEngine,
    ready_models: Mapping[str, str],
    refused: Mapping[tuple[str, str], str],
) -> str | None:
    """Say which weights are not here yet, or not for this engine's namespace; None when all are."""
    if engine.skip_model_loader:
        return None
    needed = (engine.main_model, *((engine.draft_model,) if engine.draft_model else ()))
    missing = [model for model in needed if model not in ready_models]
    if missing:
        return f"waits for the weights of {', '.join(missing)}"
    return next((why for name in needed if (why := refused.get((engine.namespace, name)))), None)


def programs_of(
    engine: AssignedEngine, environment: EnvironmentReady | EnvironmentBuilding | None
) -> EnvironmentReady | str:
    """Return the engine's Python environment, or say how far it is."""
    if not engine.requirements:
        return EnvironmentReady(programs="")
    if isinstance(environment, EnvironmentReady):
        return environment
    doing = f"waits for a Python environment with {', '.join(engine.requirements)}"
    progress = environment.progress if environment is not None else ""
    return f"{doing}: {progress}" if progress else doing
