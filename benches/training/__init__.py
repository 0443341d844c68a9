"""Trains the compiler on the core: what it does under load decides how the wheel's is laid out.

`make as-wheel` and `make wheel` run `python -m benches.training`, which builds the core with counters in it, serves
every kind of traffic with it (`load.py`), and leaves the counts where the compiler takes them (`-Cprofile-use`). The
load is not that of the comparison with other proxies: it is many kinds of requests, each checked, from clients of the
tests.
"""
