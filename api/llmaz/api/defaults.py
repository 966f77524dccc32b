"""What upstream's webhooks wrote into objects and no schema can: labels taken from the spec.

The controller writes them. Every other default stands on its field, and in the CRD.
"""

from llmaz.api.names import MODEL_FAMILY_NAME, MODEL_NAME
from llmaz.api.openmodel import OpenModel
from llmaz.api.playground import Playground


def default_labels(value: OpenModel | Playground) -> dict[str, str]:
    """Return the labels that an object shall have beside its own, which never override them."""
    if isinstance(value, OpenModel):
        return {MODEL_FAMILY_NAME: value.spec.family_name}
    return {MODEL_NAME: value.spec.claims.main}
