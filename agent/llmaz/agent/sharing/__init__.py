"""The sharing process of a node: what is on its disk, served to other nodes and to its own."""
