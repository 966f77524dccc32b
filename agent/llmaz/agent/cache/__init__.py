"""The node's model cache: weights from a hub or a path, verified before an engine sees them."""
