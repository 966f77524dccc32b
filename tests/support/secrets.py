"""Secrets for those who need none."""

from collections.abc import Mapping

from llmaz.agent.cache.origin import SecretKeys


class NoSecrets:
    """There is no Secret anywhere."""

    async def credentials(
        self, namespace: str | None, wanted: SecretKeys, *, own: bool = False
    ) -> Mapping[str, str]:
        return {}
