import pytest

from llmaz.controller.products import label_value, model_name, short_name


@pytest.mark.parametrize(
    ("product", "short"),
    [
        ("NVIDIA A2", "a2"),
        ("NVIDIA A10", "a10"),
        ("NVIDIA A10G", "a10g"),
        ("NVIDIA A30", "a30"),
        ("NVIDIA A40", "a40"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA A100-PCIE-40GB", "a100"),
        ("NVIDIA A100 80GB PCIe", "a100"),
        ("NVIDIA A100-SXM4-80GB MIG 1g.10gb", "a100"),
        ("A100-SXM4-40GB", "a100"),
        ("NVIDIA A800-SXM4-80GB", "a800"),
        ("NVIDIA H20", "h20"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 NVL", "h100"),
        ("NVIDIA H100 PCIe", "h100"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA H200 NVL", "h200"),
        ("NVIDIA GH200 480GB", "gh200"),
        ("NVIDIA B200", "b200"),
        ("NVIDIA GB200", "gb200"),
        ("NVIDIA GB10", "gb10"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA L40", "l40"),
        ("NVIDIA L40S", "l40s"),
        ("Tesla T4", "t4"),
        ("Tesla V100-SXM2-16GB", "v100"),
        ("Tesla P100-PCIE-16GB", "p100"),
        ("Tesla K80", "k80"),
        ("GRID T4-16Q", "t4"),
        ("NVIDIA GeForce RTX 4090", "4090"),
        ("NVIDIA GeForce RTX 4090 D", "4090-d"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "4090-laptop"),
        ("NVIDIA GeForce RTX 5090", "5090"),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", "4070-ti-super"),
        ("GeForce GTX 1080 Ti", "1080-ti"),
        ("NVIDIA RTX A6000", "a6000"),
        ("NVIDIA RTX 6000 Ada Generation", "6000-ada"),
        ("NVIDIA RTX 4000 SFF Ada Generation", "4000-sff-ada"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "pro-6000"),
        ("Quadro RTX 8000", "8000"),
        ("Quadro P4000", "p4000"),
        ("NVIDIA TITAN RTX", "titan-rtx"),
        ("NVIDIA TITAN V", "titan-v"),
        ("GeForce GTX TITAN X", "titan-x"),
        ("NVIDIA Thor", "thor"),
        ("NVIDIA Graphics Device", ""),
        ("NVIDIA", ""),
    ],
)
def test_a_product_has_the_short_name_that_manifests_select_by(product: str, short: str) -> None:
    assert short_name(product) == short


@pytest.mark.parametrize(
    ("product", "model"),
    [
        ("NVIDIA H100 80GB HBM3", "h100-80gb-hbm3"),
        ("NVIDIA GeForce RTX 4090", "geforce-rtx-4090"),
        ("Tesla T4", "tesla-t4"),
        ("NVIDIA A100-SXM4-80GB MIG 1g.10gb", "a100-sxm4-80gb-mig-1g.10gb"),
        ("AMD Instinct MI300X", "instinct-mi300x"),
        ("Intel e20b", "e20b"),
        ("Ascend 910B", "ascend-910b"),
        ("TPU v5e", "tpu-v5e"),
    ],
)
def test_a_model_is_spelt_alike_for_every_vendor(product: str, model: str) -> None:
    assert model_name(product) == model


def test_what_a_label_may_not_hold_becomes_a_dash() -> None:
    assert label_value("(Radeon) RX 7900 XT/XTX") == "Radeon-RX-7900-XT-XTX"
    assert label_value("x" * 62 + "--y") == "x" * 62
