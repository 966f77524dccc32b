"""What an engine is given that loads its weights itself."""

import dataclasses

import pytest

from llmaz.api.openmodel import SecretReference
from llmaz.controller.sources import credentials
from support.builders import model


@pytest.mark.parametrize(
    ("uri", "secret", "must_be_there"),
    [
        (None, None, False),  # what upstream looks for without being asked to
        (None, "team-hub", True),
        ("s3://bucket/qwen", "team-store", True),
        ("gs://bucket/qwen", "team-store", False),  # it may have keys of Google's own
    ],
)
def test_a_secret_that_the_model_names_must_have_the_keys_of_its_source(
    uri: str | None, secret: str | None, must_be_there: bool
) -> None:
    plain = model("qwen", uri=uri)
    reference = None if secret is None else SecretReference(name=secret)
    named = dataclasses.replace(plain, spec=dataclasses.replace(plain.spec, secret_ref=reference))
    sources = [variable.value_from for variable in credentials(named, skip=True)]
    keys = [one.secret_key_ref for one in sources if one is not None]
    assert {key.optional for key in keys if key is not None} == {not must_be_there}
    assert secret is None or {key.name for key in keys if key is not None} == {secret}
