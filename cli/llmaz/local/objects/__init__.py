"""What a Kubernetes API server does to objects, as pure functions over plain JSON.

Defaults, pruning, validation, patches, field ownership, selectors, tables and OpenAPI documents.
Nothing here reads a clock, a disk or a socket, and no argument is ever changed: every function
returns new values.
"""
