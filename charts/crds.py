#!/usr/bin/env python3
"""Write the CustomResourceDefinitions that llmaz.api describes to charts/llmaz/crds."""

from pathlib import Path

import yaml

from llmaz.api.crd import SERVED, definition

HEADER = "# Made by `make crds` from the types in api/llmaz/api; edit those.\n"
CRDS = Path(__file__).parent / "llmaz" / "crds"


class _Plain(yaml.SafeDumper):
    """Writes every value in full: anchors would save lines and cost readers."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def main() -> None:
    for kind in SERVED:
        text = yaml.dump(definition(kind), Dumper=_Plain, sort_keys=False, width=100)
        (CRDS / f"{kind.plural}.{kind.group}.yaml").write_text(HEADER + text)


if __name__ == "__main__":
    main()
