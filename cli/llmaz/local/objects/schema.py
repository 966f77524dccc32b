"""Schemas of kinds: what a kube-apiserver makes of `openAPIV3Schema`, in one place.

Schemas are read as structural ones (`structural_errors` finds none) and must not be changed once
they are used here: compiled rules are remembered by the schema's identity.
"""

from collections.abc import Sequence

from llmaz.local.objects.cel import rules_of
from llmaz.local.objects.defaulting import defaulted
from llmaz.local.objects.fielderror import FieldError
from llmaz.local.objects.invariants import embedded_errors, list_errors
from llmaz.local.objects.pruning import pruned
from llmaz.local.objects.structural import structural_errors
from llmaz.local.objects.validating import ABSENT, value_errors
from llmaz.local.objects.values import Object, Schema

__all__ = ["defaulted", "pruned", "structural_errors", "validate"]

_BLOCKING = frozenset({"unsupported", "required", "tooLong", "tooMany", "typeInvalid"})
_UNCHECKED = FieldError(
    "",
    "invalid",
    None,
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)


def validate(
    schema: Schema,
    obj: Object,
    old: Object | None = None,
    *,
    metadata: Sequence[FieldError] = (),
    scale: Sequence[FieldError] = (),
) -> list[FieldError]:
    """Return what is wrong with `obj`, in the server's order.

    `old` is the stored object of an update: transition rules see it, and what is wrong in it and
    unchanged is forgiven. `metadata` and `scale` are errors found there; they take their places
    among the others, since rules run only on an object that is right otherwise.
    """
    errors = [*metadata, *value_errors(schema, obj, "", ABSENT if old is None else old), *scale]
    errors += embedded_errors(schema, obj)
    if old is None or not any(list_errors(schema, old)):
        errors += list_errors(schema, obj)
    rules = rules_of(schema)
    if not rules:
        return errors
    if any(error.kind in _BLOCKING for error in errors):
        return [*errors, _UNCHECKED]
    return [*errors, *rules.errors(obj, old)]
