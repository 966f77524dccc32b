"""What the benchmarks share: options, figures, and processes that are always ended."""
