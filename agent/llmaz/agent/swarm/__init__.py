"""How nodes that want the same files bring each byte from outside once, and share it."""
