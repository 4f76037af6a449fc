"""Applies the objects of a stack to an API server, where the Pulumi CLI is not there to do it.

They are applied in order, what an earlier run applied and this one does not is removed, and taking them down goes the
other way round.
"""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from localcluster.client import Client, Reference
from localcluster.errors import LocalClusterError
from localcluster.processes import wait_until

GONE_WITHIN_S: Final = 60.0
READY_WITHIN_S: Final = 30.0


class AppliedStack:
    """The objects that a recording put on one API server, remembered in a file.

    Args:
        client: The API server's.
        memory: The file, JSON; it need not exist.
    """

    def __init__(self, client: Client, memory: Path) -> None:
        self._client = client
        self._memory = memory

    def apply(self, manifests: list[dict[str, Any]]) -> int:
        """Apply the objects in order and remove those that an earlier apply made and this one does not.

        Returns:
            How many objects changed.

        Raises:
            ApiError: The API server refused an object.
            LocalClusterError: The new kind did not become known, or an object does not go.
        """
        wanted = [Reference.of(manifest) for manifest in manifests]
        before = self.references()
        # Noted before the first write: an interrupted run leaves nothing that a later one does not know of.
        self._remember([*wanted, *(reference for reference in before if reference not in wanted)])
        changed = 0
        for manifest in manifests:
            changed += self._client.apply(manifest)
            if manifest["kind"] == "CustomResourceDefinition":
                self._wait_established(manifest)
        stale = [reference for reference in before if reference not in wanted]
        self._remove(stale)
        self._remember(wanted)
        return changed + len(stale)

    def destroy(self) -> None:
        """Remove everything that was applied, last first, and return when it is gone.

        Raises:
            LocalClusterError: An object does not go.
        """
        self._remove(self.references())
        self._remember([])

    def references(self) -> list[Reference]:
        """Give the objects that were applied, in their order."""
        if not self._memory.exists():
            return []
        return [Reference(**entry) for entry in json.loads(self._memory.read_text(encoding="utf-8"))]

    def _remove(self, references: list[Reference]) -> None:
        for reference in reversed(references):
            self._client.delete(reference)
            if not wait_until(functools.partial(self._is_gone, reference), GONE_WITHIN_S):
                raise LocalClusterError(
                    f"{reference} does not go within {GONE_WITHIN_S:.0f} s; look at its finalizers with kubectl, then "
                    "run the same command again"
                )

    def _is_gone(self, reference: Reference) -> bool:
        return self._client.get(reference) is None

    def _wait_established(self, manifest: Mapping[str, Any]) -> None:
        reference = Reference.of(manifest)
        if not wait_until(lambda: condition(self._client.get(reference), "Established") == "True", READY_WITHIN_S):
            raise LocalClusterError(f"{reference} is not established within {READY_WITHIN_S:.0f} s; run `up` again")

    def _remember(self, references: list[Reference]) -> None:
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        half = self._memory.with_suffix(".half")
        half.write_text(json.dumps([reference._asdict() for reference in references], indent=1), encoding="utf-8")
        half.replace(self._memory)


def condition(body: Mapping[str, Any] | None, kind: str) -> str:
    """Give the status of one of an object's conditions; empty where it has none."""
    conditions = ((body or {}).get("status") or {}).get("conditions") or []
    return next((str(entry["status"]) for entry in conditions if entry["type"] == kind), "")
