"""What the cluster tests stand on: the control plane, its API, pods, controllers, and the proxy that spoils answers."""
