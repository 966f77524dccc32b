"""One machine without Kubernetes: an embedded API server, and `up` and `down` for all programs.

`up` is the parent of four programs that run elsewhere as they are: the API server, the controller,
the agent and the gateway. They end with it, however it ends. Engines do not: they live on under
their shims, and the next `up` finds them.
"""
