"""Random histories of a cluster, in which the controller's own code decides and writes.

`server` keeps objects and merges writes as an API server does, `controllers` look, decide and act
through it, `agents` follow their assignments, `history` is what happens, `rules` what must hold.
"""
