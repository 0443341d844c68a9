"""Objects from a cluster: credentials, transport, and what follows the objects of one kind.

The only importer of the Kubernetes client, and only once a cluster is spoken to.
"""

from __future__ import annotations
