"""What Pulumi's Kubernetes provider asks of an API server, for what a recording registered.

It creates by POST and is refused what exists; it takes up an existing object by a forced server-side apply where it
may; it deletes in the foreground and waits until the object is gone; it compares what it is given with the same fields
of what it finds, and shows every difference in a preview.
"""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from localcluster.client import Client, Reference
from localcluster.processes import wait_until
from localcluster.stack import condition

GONE_WITHIN_S = 60.0


def create(client: Client, manifests: Iterable[Mapping[str, Any]]) -> None:
    """Create objects one after the other; a CRD has to be established before the next."""
    for manifest in manifests:
        client.create(manifest)
        established(client, manifest)


def take_up(client: Client, manifest: Mapping[str, Any]) -> None:
    """Create an object, or make what is there what it should be."""
    client.apply(manifest)
    established(client, manifest)


def established(client: Client, manifest: Mapping[str, Any]) -> None:
    """Wait for a CRD; nothing else has to be waited for without a node."""
    if manifest["kind"] == "CustomResourceDefinition":
        reference = Reference.of(manifest)
        assert wait_until(lambda: condition(client.get(reference), "Established") == "True", GONE_WITHIN_S)


def destroy(client: Client, manifests: Iterable[Mapping[str, Any]], *, propagation: str = "Foreground") -> None:
    """Delete objects one after the other, each gone before the next.

    In the foreground, which is Pulumi's way, objects of a new kind wait until garbage collection knows it, up to half a
    minute; what is no test of that may take the background.
    """
    for manifest in manifests:
        delete(client, Reference.of(manifest), propagation=propagation)


def delete(client: Client, reference: Reference, *, propagation: str = "Foreground") -> None:
    """Delete an object and wait until it is gone; one that is gone already is no error."""
    client.delete(reference, propagation=propagation)
    gone = functools.partial(_is_gone, client, reference)
    assert wait_until(gone, GONE_WITHIN_S), f"{reference} does not go: {client.get(reference)}"


def _is_gone(client: Client, reference: Reference) -> bool:
    return client.get(reference) is None


def differences(client: Client, manifest: Mapping[str, Any]) -> list[str]:
    """Name the fields of an object that a preview would show: those of the program that the cluster has otherwise."""
    live = client.get(Reference.of(manifest))
    assert live is not None, Reference.of(manifest)
    # A Secret's stringData is stored as data, which the provider knows.
    return list(_differences(dict(manifest), live, "")) if manifest["kind"] != "Secret" else []


def _differences(wanted: object, live: object, path: str) -> Iterable[str]:
    if isinstance(wanted, dict) and isinstance(live, dict):
        for key, value in wanted.items():
            yield from _differences(value, live.get(key), f"{path}.{key}")
    elif isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        for index, (one, other) in enumerate(zip(wanted, live, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif wanted != live:
        yield f"{path}: {wanted!r} is {live!r}"
