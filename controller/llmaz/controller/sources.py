"""What an engine is told of its models: the name it lists, where the weights lie, and credentials.

Weights come from the agent's cache, unless the engine loads them itself: where the annotation
llmaz.io/skip-model-loader says so, and of Ollama's registry unless the engine is given a path.
"""

from llmaz.api import names, template
from llmaz.api.openmodel import OpenModel
from llmaz.api.pod import EnvVar, EnvVarSource, KeySelector
from llmaz.api.source import Hub, ModelSource

_OLLAMA = "ollama://"
_HOST = "host://"


def is_loaded_by_engine(model: OpenModel, *, skip: bool, opens_files: bool) -> bool:
    """Tell whether the agent has nothing to fetch for this model."""
    is_ollama = _uri(model.spec.source).lower().startswith(_OLLAMA)
    return skip or (is_ollama and not opens_files)


def placeholders(model: OpenModel, draft: OpenModel | None, *, skip: bool) -> dict[str, str]:
    """Return what the placeholders stand for that do not depend on a flavor."""
    values = template.placeholders(model_name=model.served_name, draft=draft is not None)
    if skip:
        values["ModelPath"] = _location(model.spec.source)
    if skip and draft is not None:
        values["DraftModelPath"] = _location(draft.spec.source)
    return values


def credentials(model: OpenModel, *, skip: bool) -> tuple[EnvVar, ...]:
    """Return the variables with which an engine that loads the weights itself may do so.

    They must be in a Secret that the model names, where its source knows no other keys than these.
    """
    if not skip:
        return ()
    hub, named = model.spec.source.model_hub, model.spec.secret
    scheme = _uri(model.spec.source).partition("://")[0].lower()
    if hub is not None:
        keys = dict.fromkeys(("HUGGING_FACE_HUB_TOKEN", names.HF_TOKEN), names.HF_TOKEN)
        secret = names.MODELHUB_SECRET
    elif scheme in ("s3", "gcs", "gs"):
        keys = {key: key for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        secret = names.AWS_SECRET
    elif scheme == "oss":
        keys = {key: key for key in ("OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET")}
        secret = names.OSS_SECRET
    else:
        return ()
    has_others = scheme in ("gcs", "gs") or (hub is not None and hub.name is not Hub.HUGGINGFACE)
    is_optional = not named or has_others
    return tuple(
        _secret(variable, named or secret, key, is_optional=is_optional)
        for variable, key in keys.items()
    )


def _uri(source: ModelSource) -> str:
    """Return the URI in force: a hub's repository wins over it."""
    return source.uri if source.uri and source.model_hub is None else ""


def _location(source: ModelSource) -> str:
    """Return what an engine that loads by itself is given in place of a path."""
    if source.model_hub is not None:
        return source.model_hub.model_id
    uri = _uri(source)
    return uri[len(_HOST) :] if uri.lower().startswith(_HOST) else uri


def _secret(variable: str, secret: str, key: str, *, is_optional: bool) -> EnvVar:
    selector = KeySelector(name=secret, key=key, optional=is_optional)
    return EnvVar(name=variable, value_from=EnvVarSource(secret_key_ref=selector))
