"""How weights get into memory ahead of the engine that opens them."""
