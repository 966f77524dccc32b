"""Names of credentials that do not tell them."""

from pathlib import Path

from llmaz.agent.cache.proof import proof_of


def test_the_same_credentials_have_the_same_name_on_one_node_alone(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    proof = proof_of(one, {"HF_TOKEN": "hf_abc"})
    assert proof == proof_of(one, {"HF_TOKEN": "hf_abc"})
    assert proof != proof_of(one, {"HF_TOKEN": "hf_abd"})
    assert proof != proof_of(other, {"HF_TOKEN": "hf_abc"})
    assert "hf_abc" not in proof
    assert (one / "acl.key").stat().st_mode & 0o777 == 0o600
