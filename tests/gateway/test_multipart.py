import pytest

from llmaz.gateway.answers import OpenAIError
from llmaz.gateway.multipart import is_form, model_field

TYPE = 'multipart/form-data; boundary="b 1"'


def form(*parts: tuple[str, bytes]) -> bytes:
    written = [b"--b 1\r\n" + head.encode() + b"\r\n\r\n" + text + b"\r\n" for head, text in parts]
    return b"".join(written) + b"--b 1--\r\n"


FILE = ('Content-Disposition: form-data; name="file"; filename="model"', b"\x00\r\n--b\xff")
MODEL = ('Content-Disposition: form-data; name="model"', b"whisper")


def test_a_form_is_known_by_its_type() -> None:
    assert is_form(TYPE)
    assert not is_form("application/json")


@pytest.mark.parametrize("parts", [(MODEL, FILE), (FILE, MODEL)])
def test_the_model_is_found_wherever_it_stands_and_the_file_stays_as_it_is(
    parts: tuple[tuple[str, bytes], ...],
) -> None:
    body = form(*parts)
    field = model_field(body, TYPE)
    assert field.name == "whisper"
    assert field.replaced(body, "large") == body.replace(b"whisper", b"large")


def test_headers_may_be_written_in_any_case_and_order() -> None:
    head = "Content-Type: text/plain\r\ncontent-disposition: form-data; NAME=model"
    assert model_field(form((head, b"whisper")), TYPE).name == "whisper"


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (form(FILE), TYPE, "`model` is required"),
        (form((MODEL[0], b"")), TYPE, "`model` is required"),
        (form((MODEL[0], b"\xff")), TYPE, "must be text"),
        (form(MODEL)[:-20], TYPE, "`model` is required"),
        (b"", TYPE, "`model` is required"),
        (form(MODEL), "multipart/form-data", "no boundary"),
    ],
)
def test_a_form_without_a_model_is_refused(body: bytes, content_type: str, words: str) -> None:
    with pytest.raises(OpenAIError, match=words):
        model_field(body, content_type)
