"""Placeholders: what is replaced, what stays, what is refused."""

import pytest

from llmaz.api.template import UnknownPlaceholder, placeholders, render, unfilled

KNOWN = placeholders(model_name="opt-125m")


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{{ .ModelPath }}", "$(LLMAZ_MODEL_PATH)"),
        ("{{.ModelPath}}", "$(LLMAZ_MODEL_PATH)"),
        ("{{   .Port }}", "$(LLMAZ_PORT)"),
        ("{{ .Host }}:{{ .Port }}", "$(LLMAZ_HOST):$(LLMAZ_PORT)"),
        ("serve {{ .ModelName }} & sleep 1", "serve opt-125m & sleep 1"),
        ("{{ ModelPath }}", "{{ ModelPath }}"),
        ("{{ . }}", "{{ . }}"),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
        ("", ""),
    ],
)
def test_one_text(text: str, rendered: str) -> None:
    assert render([text], KNOWN) == (rendered,)


def test_a_draft_model_has_a_path_only_where_there_is_one() -> None:
    args = ["{{ .DraftModelPath }}"]
    assert render(args, placeholders(model_name="a", draft=True)) == ("$(LLMAZ_DRAFT_MODEL_PATH)",)
    assert render(args, KNOWN) == UnknownPlaceholder(
        "DraftModelPath", ("Host", "ModelName", "ModelPath", "Port")
    )


def test_parallelism_is_the_flavors_and_what_it_leaves_out_is_1() -> None:
    args = ["{{ .TP }}x{{ .PP }}"]
    assert render(args, placeholders(model_name="a", params={"TP": "8", "PP": "2"})) == ("8x2",)
    assert render(args, placeholders(model_name="a", params={"TP": "8"})) == ("8x1",)
    assert isinstance(
        render(args, placeholders(model_name="a", params={"INSTANCE-TYPE": "p5"})),
        UnknownPlaceholder,
    )


def test_an_empty_value_is_as_bad_as_none() -> None:
    assert render(["{{ .ModelName }}"], placeholders(model_name="")) == UnknownPlaceholder(
        "ModelName", ("Host", "ModelPath", "Port")
    )


def test_a_refusal_names_the_placeholder_and_the_known_ones() -> None:
    assert str(render(["{{ .ModelPath }}", "{{ .GPUs }}"], KNOWN)) == (
        "{{ .GPUs }} is not known here; "
        "known are {{ .Host }}, {{ .ModelName }}, {{ .ModelPath }}, {{ .Port }}"
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{{ .ModelName }}:{{ .Port }} {{ .TP }}x{{ .PP }}", None),
        ("{{ message.content }}", None),
        ("--a={{ .ModelName }} --b={{.Nope}}", "{{ .Nope }}"),
    ],
)
def test_what_stands_for_nothing_anywhere_is_found(text: str, found: str | None) -> None:
    assert unfilled(text) == found


def test_values_are_not_rendered_again() -> None:
    assert render(["{{ .ModelName }}"], {"ModelName": "{{ .Port }}"}) == ("{{ .Port }}",)
