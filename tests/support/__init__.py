"""What tests share: a backend that records every byte, a client that sends exact ones, manifests, a gateway that runs.

Nothing here sleeps or fixes a port: tests wait for conditions with a deadline and listen on free ports.
"""
