"""Pruning: fields that the schema does not know are dropped, and their paths told."""

from dataclasses import dataclass, field

from llmaz.local.objects.values import Json, Object, Schema, child

# What every object carries besides its own fields.
TYPE_FIELDS = frozenset({"apiVersion", "kind", "metadata"})
METADATA_FIELDS = frozenset(
    {
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


def pruned(schema: Schema, obj: Object, *, root: bool = True) -> tuple[Object, list[str]]:
    """Return `obj` without unknown fields, and their paths (`spec.flavors[1].bogus`), sorted.

    With `root`, `apiVersion`, `kind` and `metadata` are known at the top whatever the schema says.
    """
    pruner = _Pruner()
    result = pruner.embedded(schema, obj, "") if root else pruner.value(schema, obj, "")
    return result, sorted(pruner.unknown)


@dataclass(slots=True)
class _Pruner:
    """Walks value and schema together, collecting the paths of what it leaves out."""

    unknown: list[str] = field(default_factory=list)

    def value(self, schema: Schema | None, value: Json, path: str) -> Json:
        if isinstance(value, dict):
            if schema is not None and schema.get("x-kubernetes-embedded-resource"):
                return self.embedded(schema, value, path)
            return self._map(schema, value, path)
        if isinstance(value, list):
            items = schema.get("items") if schema is not None else None
            if items is None and schema is not None and _preserves(schema):
                return value
            return [self.value(items, item, child(path, i)) for i, item in enumerate(value)]
        return value

    def embedded(self, schema: Schema, value: Object, path: str) -> Object:
        own = {key: item for key, item in value.items() if key not in TYPE_FIELDS}
        rest = self._map(schema, own, path)
        return {
            key: self._type_field(key, item, path) if key in TYPE_FIELDS else rest[key]
            for key, item in value.items()
            if key in TYPE_FIELDS or key in rest
        }

    def _type_field(self, key: str, item: Json, path: str) -> Json:
        if key != "metadata" or not isinstance(item, dict):
            return item
        where = child(path, key)
        self.unknown += [child(where, name) for name in item if name not in METADATA_FIELDS]
        return {name: value for name, value in item.items() if name in METADATA_FIELDS}

    def _map(self, schema: Schema | None, value: Object, path: str) -> Object:
        properties: Schema = (schema or {}).get("properties") or {}
        additional = (schema or {}).get("additionalProperties")
        preserve = schema is not None and _preserves(schema)
        result: Object = {}
        for key, item in value.items():
            where = child(path, key)
            if key in properties:
                result[key] = self.value(properties[key], item, where)
            elif additional:
                result[key] = self.value(
                    additional if additional is not True else None, item, where
                )
            elif preserve:
                result[key] = item
            else:
                self.unknown.append(where)
        return result


def _preserves(schema: Schema) -> bool:
    return bool(schema.get("x-kubernetes-preserve-unknown-fields"))
