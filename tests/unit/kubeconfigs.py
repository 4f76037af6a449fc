"""Kubeconfigs for servers of the tests, and the log-in there."""

import json
from pathlib import Path
from typing import Any

import kopf
import yaml


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


def write(path: Path, user: dict[str, Any], *, name: str = "me", current: str | None = "here", **cluster: Any) -> Path:  # noqa: ANN401
    """Write a kubeconfig with one context."""
    config = {
        "current-context": current,
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": name, "namespace": "shop"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1:6443", **cluster}}],
        "users": [{"name": name, "user": user}],
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(config))
    return path


async def log_in(registry: kopf.OperatorRegistry) -> kopf.AiohttpSession:
    """Log in as Kopf does."""
    handlers_of_kopf: Any = registry._activities._handlers  # noqa: SLF001
    login = next(handler.fn for handler in handlers_of_kopf if handler.fn.__name__ == "login")
    session: kopf.AiohttpSession = await login()
    return session
