"""Kubeconfig files: one cluster, one user and one context, all of one name."""

import base64
from pathlib import Path
from typing import Any, Final

import yaml

NAME: Final = "localcluster"


def embedded(path: Path) -> str:
    """Give a file's content as a kubeconfig carries it, so that the kubeconfig can be copied anywhere."""
    return base64.b64encode(path.read_bytes()).decode()


def write_kubeconfig(path: Path, server: str, authority: Path, user: dict[str, Any]) -> bool:
    """Write a kubeconfig that only its owner can read; False where it is so already.

    Args:
        path: The file.
        server: The API server's address.
        authority: The certificate of its authority, which is embedded.
        user: The credentials, in the kubeconfig's own words.
    """
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": {"server": server, "certificate-authority-data": embedded(authority)}}],
        "users": [{"name": NAME, "user": user}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "current-context": NAME,
    }
    text = yaml.safe_dump(content, sort_keys=False)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    write_private(path, text)
    return True


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step by one that only its owner can read."""
    half = path.with_name(f".{path.name}.half")
    half.unlink(missing_ok=True)
    half.touch(mode=0o600)
    half.write_text(text, encoding="utf-8")
    half.replace(path)
