from pathlib import Path

import pytest

from llmaz.cli.errors import USAGE, CliError
from llmaz.cli.naming import backend_for, dns_label, open_model, playground, wanted


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Qwen/Qwen2.5-0.5B-Instruct", "qwen2-5-0-5b-instruct"),
        ("/models/SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2-135m-instruct-q4-1"),
        ("s3://bucket/models/My_Model/", "my-model"),
        ("x" * 80, "x" * 60),
        ("/models/7b.gguf", "model-7b"),
        ("...", "model"),
    ],
)
def test_a_name_is_a_dns_label_made_of_the_last_part(text: str, name: str) -> None:
    assert dns_label(text) == name


@pytest.mark.parametrize("name", ["Bad_Name", "7b", "x" * 61])
def test_a_name_that_no_playground_may_have_is_refused(name: str, tmp_path: Path) -> None:
    words = f"^--name {name}: the name must be at most 60 lower case letters"
    with pytest.raises(CliError, match=words) as caught:
        wanted("Qwen/Qwen2.5-7B", directory=tmp_path, name=name)
    assert caught.value.code == USAGE


def test_a_hub_id_is_fetched_from_hugging_face_and_served_by_vllm(tmp_path: Path) -> None:
    model = wanted("Qwen/Qwen2.5-7B", directory=tmp_path)
    assert model.source == {"modelHub": {"modelID": "Qwen/Qwen2.5-7B"}}
    assert backend_for(model, device="nvidia.com/gpu") == "vllm"


def test_one_file_of_a_repository_can_be_named(tmp_path: Path) -> None:
    model = wanted("Qwen/Qwen2-GGUF/qwen2-q5.gguf", directory=tmp_path)
    assert model.source == {"modelHub": {"modelID": "Qwen/Qwen2-GGUF", "filename": "qwen2-q5.gguf"}}
    assert model.is_gguf


def test_a_gguf_file_is_served_where_it_lies_by_llama_cpp(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").touch()
    model = wanted("a.gguf", directory=tmp_path, name="mine")
    assert (model.source, model.name) == ({"uri": f"host://{tmp_path}/a.gguf"}, "mine")
    assert backend_for(model, device=None) == "llamacpp-cpu"
    assert backend_for(model, device="nvidia.com/gpu") == "llamacpp"


def test_a_link_to_a_gguf_file_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "blob").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.gguf").symlink_to("blob")
    for text in ("a.gguf", "./a.gguf", "folder/../a.gguf", f"{tmp_path}/a.gguf"):
        model = wanted(text, directory=tmp_path)
        assert model.source == {"uri": f"host://{tmp_path}/a.gguf"}, text


def test_a_uri_is_taken_as_it_is(tmp_path: Path) -> None:
    assert wanted("s3://b/m", directory=tmp_path).source == {"uri": "s3://b/m"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("./none.gguf", "there is no file ./none.gguf"),
        ("just-a-word", "no model is meant by just-a-word"),
        ("", "no model is named"),
        ("notes.txt", "notes.txt is not a .gguf file"),
    ],
)
def test_what_is_no_model_is_refused_with_what_would_be_one(
    text: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CliError, match=words) as caught:
        wanted(text, directory=tmp_path)
    assert caught.value.code == USAGE
    assert "Hugging Face id" in caught.value.hint


def test_each_replica_takes_one_device_where_there_are_any(tmp_path: Path) -> None:
    model = wanted("Qwen/Qwen2.5-7B", directory=tmp_path, name="qwen")
    spec = open_model(model, device="nvidia.com/gpu")["spec"]
    assert isinstance(spec, dict)
    assert spec["inferenceConfig"] == {
        "flavors": [{"name": "default", "limits": {"nvidia.com/gpu": 1}}]
    }
    assert "inferenceConfig" not in str(open_model(model, device=None))


def test_the_playground_claims_the_model() -> None:
    made = playground("a", "qwen", backend="sglang", replicas=2, namespace="team")
    assert made["metadata"] == {"name": "a", "namespace": "team"}
    assert made["spec"] == {
        "replicas": 2,
        "modelClaim": {"modelName": "qwen"},
        "backendRuntimeConfig": {"backendName": "sglang"},
    }
