"""What engines compile when they start, kept for the next start of the same."""
