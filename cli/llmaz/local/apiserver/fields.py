"""Temporary seam."""

from typing import Any

try:
    from llmaz.local.objects.apply import ApplyConflict, ApplyError, server_side_apply, track_update
except Exception:

    class ApplyConflict(Exception): ...

    def server_side_apply(live: Any, config: Any, **_: Any) -> Any:
        from llmaz.local.objects.patches import merge_patch

        return merge_patch(live or {}, config)

    def track_update(old: Any, new: Any, **_: Any) -> Any:
        return new


try:
    from llmaz.local.objects.builtin import SCHEMAS
except Exception:
    from collections import defaultdict

    SCHEMAS = defaultdict(lambda: {"type": "object", "x-kubernetes-preserve-unknown-fields": True})
