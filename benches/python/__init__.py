"""Benchmarks of the control plane's steps, with pytest-benchmark. `make test` does not collect them."""
