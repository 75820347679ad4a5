"""One module per claim: `python -m benchmarks.<name> [--quick]`."""
