"""What the API server was asked, by its audit log, and what the Pulumi program gives the operator the right to ask."""

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

from exchangerates_infra.recorder import Recording

USER = "system:serviceaccount:exchange-rate-operator:exchange-rate-operator"
"""The operator's account."""


class Audit:
    """What the API server was asked, from now on or since it was started."""

    def __init__(self, log: Path, *, whole: bool = False) -> None:
        self._log = log
        self._from = 0 if whole else log.stat().st_size

    def requests(self, user: str = USER) -> list[dict[str, Any]]:
        """Give a user's finished requests."""
        with self._log.open("rb") as log:
            log.seek(self._from)
            entries = [json.loads(line) for line in log if line.endswith(b"\n")]
        return [entry for entry in entries if entry["user"].get("username") == user]

    def writes(self, user: str = USER) -> list[str]:
        """Give a user's writes, as text for a message."""
        return [
            f"{entry['verb']} {entry['requestURI']}"
            for entry in self.requests(user)
            if entry["verb"] not in {"get", "list", "watch"}
        ]

    def used(self, user: str = USER) -> set[tuple[str, str]]:
        """Give resource and verb of a user's requests for objects."""
        return {
            ("/".join(filter(None, [found["resource"], found.get("subresource")])), entry["verb"])
            for entry in self.requests(user)
            if (found := entry.get("objectRef"))
        }

    def refused(self, user: str = USER) -> list[str]:
        """Give a user's requests for which it had no rights.

        Nothing can be made in a namespace that is going, which is told by a 403 too: to the operator it is news.
        """
        return [
            f"{entry['verb']} {entry['requestURI']}: {entry['responseStatus'].get('message')}"
            for entry in self.requests(user)
            if entry["responseStatus"]["code"] == HTTPStatus.FORBIDDEN
            and "is being terminated" not in entry["responseStatus"].get("message", "")
        ]


def granted(recording: Recording, namespace: str) -> set[tuple[str, str]]:
    """Give resource and verb of every right that the Pulumi program gives to the operator."""
    names = {f"{namespace}:operator", f"{namespace}:operator-own"}
    roles = [found for found in recording.manifests() if found["metadata"]["name"] in names and found.get("rules")]
    assert {role["metadata"]["name"] for role in roles} == names
    return {
        (resource, verb)
        for role in roles
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
