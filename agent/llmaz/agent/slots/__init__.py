"""Engines in slots: pods of their own, whose shims the agent finds in a directory of the node."""
