"""What accelerators the node has and how they are, and the processors and memory beside them."""
