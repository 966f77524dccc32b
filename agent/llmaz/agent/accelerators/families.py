"""What generation a device is of, by the code that it runs. Pure."""

_CUDA = {
    3: "kepler",
    5: "maxwell",
    6: "pascal",
    7: "volta",
    8: "ampere",
    9: "hopper",
    10: "blackwell",
    12: "blackwell",
    13: "rubin",
}
_CUDA_EXCEPTIONS = {(7, 5): "turing", (8, 9): "ada-lovelace"}
_ROCM = {
    "gfx906": "gcn5",
    "gfx908": "cdna",
    "gfx90a": "cdna2",
    "gfx940": "cdna3",
    "gfx941": "cdna3",
    "gfx942": "cdna3",
    "gfx950": "cdna4",
}
_ROCM_PREFIXES = {"gfx101": "rdna", "gfx103": "rdna2", "gfx11": "rdna3", "gfx12": "rdna4"}


def cuda_family(major: int, minor: int) -> str:
    """Return the names that NVIDIA's feature discovery labels nodes with; unknown is empty."""
    return _CUDA_EXCEPTIONS.get((major, minor)) or _CUDA.get(major, "")


def rocm_family(target: str) -> str:
    """Return the family of an LLVM target such as gfx942; unknown is empty."""
    by_prefix = (name for prefix, name in _ROCM_PREFIXES.items() if target.startswith(prefix))
    return _ROCM.get(target) or next(by_prefix, "")
