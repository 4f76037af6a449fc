"""Kopf's storage of last handled states with nothing in it: `on.event` handlers have none.

Kopf asks it at every event all the same, and its own copies each body in depth to compare it: about a sixth of the
operator's CPU time while many objects change.
"""

from collections.abc import Iterable

import kopf


class NoDiffBase(kopf.DiffBaseStorage):
    """Takes no object's state, and finds none."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[kopf.FieldSpec] | None = None) -> kopf.BodyEssence:
        """Give no state of a body."""
        del body, extra_fields
        return kopf.BodyEssence({})

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Find no state of a body."""
        del body
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Store nothing."""
