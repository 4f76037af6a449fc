"""Kubeconfigs for servers of the tests."""

import json
from pathlib import Path


def without_tls(path: Path, url: str) -> str:
    """Write one for a server without TLS; give its path."""
    path.write_text(
        json.dumps(
            {
                "current-context": "it",
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
                "clusters": [{"name": "it", "cluster": {"server": url}}],
                "users": [{"name": "it", "user": {}}],
            }
        )
    )
    return str(path)
