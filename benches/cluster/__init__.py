"""A controller in a cluster of ten thousand Ingresses: its start, its memory, and how soon a change is on the wire.

`python -m benches.cluster` starts a control plane of its own (that of `tests/cluster`: real etcd, real API server),
fills it, and measures against it, each figure beside its bound:

| part | what it measures |
|---|---|
| `status` | how long it takes to write the status of all Ingresses |
| `start` | process start to ready, processor time, memory when steady and at most |
| `latency` | from an acknowledged write to the new behaviour on the wire, beside a bare watcher |
| `stream` | a minute of 100 endpoint changes a second by the real API server; then its recording at 500 a second |

Everything runs on one machine, the API server too, so it takes part in what is measured: on a machine that is busy
times say little. What this does not do: decide.
"""
