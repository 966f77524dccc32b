"""Endpoints of the node for unmodified clients of both hubs, out of the cache."""
