"""fastingress beside other proxies, in one run on one machine: only the ratios mean anything.

`python -m benches.compare` (or `make bench`) says how long it will take (`planned.py`), checks that all answer the same
and tell the backend the same, measures, and says how far it has come (`progress.py`). Scenarios are data
(`scenarios.py`; `scenario.py` has their kinds), and so is what each may come to at most; peers are one file each
(`peers/`), and so is each way to measure (`kinds.py` names them). Ratios are taken round by round (`rounds.py`) and
compared with the bounds (`verdict.py`). A run is kept as a record (`record.py`), from which tables, pictures and the
page in docs are written (`tables.py`, `plots.py`, `page.py`). What this does not do: compare machines, or runs with
other runs.
"""
