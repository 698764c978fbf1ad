"""What is measured, and kept in `results/`: run from the root of the repository, as `python -m benchmarks.NAME --help`."""
