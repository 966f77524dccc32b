"""The names that products go by in labels. Pure."""

import re

_VENDORS = frozenset({"nvidia", "amd", "intel"})
_BRANDS = frozenset({"geforce", "rtx", "gtx", "tesla", "quadro", "grid"})
# What follows a number and makes it another product, with other memory.
_VARIANTS = frozenset({"ti", "super", "d", "sff", "ada", "laptop"})
_LONGEST = 63  # characters of a label's value


def label_value(text: str) -> str:
    """Return the text as a label's value."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:_LONGEST].strip("-_.")


def model_name(product: str) -> str:
    """Return one spelling for every vendor: NVIDIA H100 80GB HBM3 -> h100-80gb-hbm3."""
    words = product.lower().split()
    if words and words[0] in _VENDORS:
        words = words[1:]
    return label_value("-".join(words))


def short_name(product: str) -> str:
    """Return what NVIDIA's products are called for short, as manifests that are around select them.

    NVIDIA A100-SXM4-80GB -> a100, NVIDIA GeForce RTX 4090 -> 4090, NVIDIA RTX 6000 Ada Generation
    -> 6000-ada. Empty where the driver has no name for the product.
    """
    whole_product = product.lower().partition(" mig ")[0]
    words = [word for word in re.split(r"[\s-]+", whole_product) if word not in _VENDORS]
    if words[:2] == ["graphics", "device"]:
        return ""
    if "titan" in words:
        return label_value("-".join(words[words.index("titan") :][:2]))
    words = [word for word in words if word not in _BRANDS]
    numbered = [place for place, word in enumerate(words) if re.search(r"\d", word)]
    if not numbered:
        return label_value(words[0]) if words else ""
    place = numbered[0]
    line = ["pro"] if words[:place] == ["pro"] else []
    variant = [word for word in words[place + 1 :] if word in _VARIANTS]
    return label_value("-".join((*line, words[place], *variant)))
