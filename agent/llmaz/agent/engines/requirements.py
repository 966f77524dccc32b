"""Whether this interpreter's own packages are what a runtime requires."""

from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import InvalidRequirement, Requirement


def invalid(requirements: tuple[str, ...]) -> str | None:
    """Say which of some requirements is none; None where all are."""
    for text in requirements:
        try:
            Requirement(text)
        except InvalidRequirement as error:
            return f"{text!r} is no Python requirement: {str(error).splitlines()[0]}"
    return None


def are_met(requirements: tuple[str, ...]) -> bool:
    """Tell whether each of them is installed here, with what its extras need."""
    return all(_is_met(Requirement(text)) for text in requirements)


def _is_met(wanted: Requirement) -> bool:
    if wanted.url is not None:  # what is installed does not say whether it came from there
        return False
    try:
        found = distribution(wanted.name)
    except PackageNotFoundError:
        return False
    if not wanted.specifier.contains(found.version, prereleases=True):
        return False
    needed = [Requirement(text) for text in found.requires or ()]
    return all(
        _is_met(need)
        for extra in wanted.extras
        for need in needed
        if need.marker is not None
        and need.marker.evaluate({"extra": extra})
        and not need.marker.evaluate({"extra": ""})
    )
