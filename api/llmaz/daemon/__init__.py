"""What makes a good background process: logs, an orderly end, backoff, health and metrics."""
