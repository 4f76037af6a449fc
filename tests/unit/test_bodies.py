"""What bodies have in common is held once, and what was is not held for ever."""

import json
import tracemalloc
from typing import Any

from exchangerates import bodies
from exchangerates.objects import ConfigMap, ExchangeRate


def body(name: str, **parts: object) -> dict[str, Any]:
    """Give a body as it comes over the wire, with texts of its own."""
    owner = {"kind": "ExchangeRate", "name": name, "uid": f"uid-{name}", "controller": True}
    metadata = {"namespace": "team-a", "name": name, "uid": f"uid-{name}", "resourceVersion": "1"}
    found: dict[str, Any] = json.loads(json.dumps({"metadata": {**metadata, "ownerReferences": [owner]}, **parts}))
    return found


def test_what_objects_have_in_common_is_held_once() -> None:
    """Keys and values, over both kinds."""
    one, other = (
        ExchangeRate.from_body(body(name, spec={"currency": "USD"}, status={"rates": [{"rate": "1.1172"}]}))
        for name in ("one", "other")
    )
    published = ConfigMap.from_body(body("one", data={"rate": "1.1172", "currency": "USD"}))
    assert one.key.namespace is other.key.namespace is published.key.namespace
    assert one.uid is published.owner_uid
    assert one.key.name is published.key.name
    assert one.spec["currency"] is other.spec["currency"] is published.data["currency"]
    assert one.status["rates"][0]["rate"] is other.status["rates"][0]["rate"] is published.data["rate"]
    first_keys = (next(iter(seen.status)) for seen in (one, other))
    assert next(first_keys) is next(first_keys)


def test_what_nobody_says_any_more_is_not_held_for_ever() -> None:
    """Rates, times and messages are other ones every hour; of them no more than the limit is kept."""
    size = 16 * 1024
    tracemalloc.start()
    try:
        for number in range(4 * bodies.MAX_HELD_BYTES // size):
            ExchangeRate.from_body(body("one", status={"message": f"{number}".rjust(size)}))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2 * bodies.MAX_HELD_BYTES


def test_many_short_texts_are_not_held_for_ever_either() -> None:
    """Each costs more than its letters."""
    tracemalloc.start()
    try:
        for number in range(bodies.MAX_HELD_BYTES // 32):
            bodies.slim(f"{number}")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2 * bodies.MAX_HELD_BYTES
