"""Kinds of places that weights come from: each lists files with digests, and says how to ask."""
