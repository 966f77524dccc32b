"""A Hugging Face endpoint of the node: HF_ENDPOINT for unmodified clients, out of the cache."""
