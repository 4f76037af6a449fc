"""What is kept of the bodies that lists and watches show."""

import json

from exchangerates.observed import ExchangeRate


def test_what_many_objects_say_is_held_once() -> None:
    """Each document brings its own copies of the same texts, its keys among them."""
    told = json.dumps({"rates": [{"currency": "USD", "rate": "1.1172"}], "base": "EUR"})
    metadata = {"namespace": "default", "name": "money", "uid": "uid-1", "resourceVersion": "1"}
    one, other = (ExchangeRate.from_body({"metadata": metadata, "status": json.loads(told)}).status for _ in "ab")
    assert one == json.loads(told)
    assert one["rates"][0]["rate"] is other["rates"][0]["rate"]
    assert [id(key) for key in one["rates"][0]] == [id(key) for key in other["rates"][0]]
