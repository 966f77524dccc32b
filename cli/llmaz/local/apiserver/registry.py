"""The resources that the server serves: the built-in ones, and those of established CRDs."""

from collections.abc import Iterable, Iterator

from llmaz.local.apiserver.resource import Resource


class Registry:
    """Looks resources up by what a path says; what CRDs define is replaced as they change."""

    def __init__(self, builtin: Iterable[Resource]) -> None:
        self._builtin = tuple(builtin)
        self._served: dict[tuple[str, str, str], Resource] = {}
        self.generation = 0
        self.replace_custom(())

    def replace_custom(self, custom: Iterable[Resource]) -> None:
        """Serve these custom resources from now on; documents made from the registry are stale."""
        resources = (*self._builtin, *custom)
        self._served = {(item.group, item.version, item.plural): item for item in resources}
        self.generation += 1

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._served.get((group, version, plural))

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._served.values())

    def groups(self) -> dict[str, list[str]]:
        """Return each group's versions, the preferred first: built-in groups, then CRDs'."""
        found: dict[str, list[str]] = {}
        for resource in self:
            versions = found.setdefault(resource.group, [])
            if resource.version not in versions:
                versions.append(resource.version)
        return found

    def of(self, group: str, version: str) -> list[Resource]:
        return [item for item in self if (item.group, item.version) == (group, version)]

    def by_storage(self, storage: str) -> Resource | None:
        """Return the resource under which the server itself reads and writes stored objects."""
        return next((item for item in self if item.storage == storage), None)
