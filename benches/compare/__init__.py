"""fastingress beside nginx and HAProxy, in one run on one machine: only the ratios mean anything.

`python -m benches.compare` (or `make bench`) checks first that all answer the same and tell the backend the same, then
measures. Scenarios are data (`scenarios.py`), peers are one file each (`peers/`), each measurement is one file
(`load.py`, `idle.py`). What this does not do: compare machines, or runs with other runs.
"""
