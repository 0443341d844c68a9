"""A gateway with ten thousand Ingresses: how long a start takes, and how soon one edited Ingress is live.

`python -m benches.scale` writes folders (one host each, one host for all), starts a gateway process on each, edits one
Ingress again and again, and asks for it over a kept connection until the answer shows the edit. Counts come from the
process itself, as do the times after parsing; a second process tells how long its loop was ever held up. Figures stand
beside the bounds that they are to keep. What this does not do: decide. On a machine that is busy, times say little.
"""
