"""How far an update of a Service may go at once: its maxUnavailable and maxSurge as numbers."""

from math import ceil

from llmaz.api.service import Service


def most_unavailable(service: Service) -> int:
    """Return how many replicas an update may take down at once.

    At least one where none may be in excess either: otherwise it would never end.
    """
    limit = service.spec.rollout_strategy.rolling_update_configuration.max_unavailable
    least = 0 if most_surplus(service) else 1
    return max(least, int(_share(limit, service.spec.replicas)))


def most_surplus(service: Service) -> int:
    """Return how many replicas there may be in excess during an update."""
    limit = service.spec.rollout_strategy.rolling_update_configuration.max_surge
    return ceil(_share(limit, service.spec.replicas))


def _share(limit: int | str, replicas: int) -> float:
    if isinstance(limit, str):
        return int(limit.removesuffix("%")) * replicas / 100
    return limit
