"""Which files run code when they are opened."""

from llmaz.agent.cache.formats import pickles


def test_what_is_unpickled_is_found_by_its_ending() -> None:
    paths = ("a.safetensors", "b/pytorch_model.bin", "c.PTH", "config.json", "bin", "x.gguf")
    assert pickles(paths) == ("b/pytorch_model.bin", "c.PTH")
