"""The `llmaz` command: the same objects and programs for people, with words instead of traces."""
