"""Floods of HTTP/2 frames, and what a server does about them.

`kinds.py` declares them, `attacks/` says what bytes each consists of, `line.py` sends them over several connections at
once, `load.py` is the normal load beside them. `python -m tests.floods 127.0.0.1:8080 rapid-reset` runs one against any
server; the tests run all against ours.
"""
