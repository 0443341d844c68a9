"""What each step of a request takes in instructions, counted under callgrind: small changes show, for nothing is noise.

`python -m benches.instructions` (or `make bench-instructions`) does each step N times and 2 N times, and the difference
is N times what one takes: starting, and making what the step needs, fall out. The steps are a Rust program beside this
file. `figures.json` has the committed counts, and on what they were counted. What this does not see: caches, and the
kernel.
"""
