"""fastingress beside nginx and HAProxy, in one run on one machine: only the ratios mean anything.

`python -m benches.compare` (or `make bench`) checks first that all answer the same and tell the backend the same, then
measures. Scenarios are data (`scenarios.py`), and so is what each may come to at most; peers are one file each
(`peers/`), each measurement is one file (`load.py`, `bulk.py`, `idle.py`, `churn.py`), and what a scenario takes
by its kind is in `kinds.py`. Programs of our own at both ends are in `benches/ends`. Ratios are taken round by round
(`rounds.py`), and the report says in the end which bounds are kept, and by how much others are broken (`verdict.py`).
What this does not do: compare machines, or runs with other runs.
"""
