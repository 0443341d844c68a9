"""What the control plane costs.

`python -m benches.python` measures what is bounded, each figure beside its bound:

| part | what it measures |
|---|---|
| `starting` | processor time from the start of a process to its first answer |
| `translating` | processor time to translate all Ingresses of a cluster |
| `changing` | what one endpoint change of a stream costs, in Python and in the core, and the memory of the process |

The `bench_*.py` beside them are benchmarks of single steps, with pytest-benchmark. `make test` collects neither.
"""
