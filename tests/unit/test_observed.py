"""What is kept of the bodies that lists and watches show."""

import json

import pytest

from exchangerates.api import REFRESH_ANNOTATION
from exchangerates.bodies import MAX_REQUEST_CHARS
from exchangerates.objects import ConfigMap, ExchangeRate, ObjectKey
from exchangerates.observed import MAX_ECHOES, Observed


def test_what_many_objects_say_is_held_once() -> None:
    """Each document brings its own copies of the same texts, its keys among them."""
    told = json.dumps({"rates": [{"currency": "USD", "rate": "1.1172"}], "base": "EUR"})
    metadata = {"namespace": "default", "name": "money", "uid": "uid-1", "resourceVersion": "1"}
    one, other = (ExchangeRate.from_body({"metadata": metadata, "status": json.loads(told)}).status for _ in "ab")
    assert one == json.loads(told)
    assert one["rates"][0]["rate"] is other["rates"][0]["rate"]
    assert [id(key) for key in one["rates"][0]] == [id(key) for key in other["rates"][0]]


@pytest.mark.parametrize("request_", ["now", "x" * MAX_REQUEST_CHARS])
def test_a_wish_is_remembered_as_it_is(request_: str) -> None:
    """The status shows it."""
    assert asked(request_) == request_


def test_long_wishes_that_begin_alike_are_two() -> None:
    """However long, what is remembered is short."""
    one, other = asked("x" * 999 + "1"), asked("x" * 999 + "2")
    assert one != other
    assert one.startswith("x" * 40)
    assert len(one) == len(other) == MAX_REQUEST_CHARS


def test_of_the_writes_that_no_watch_shows_the_last_are_remembered() -> None:
    """A watch may be deaf for an hour."""
    observed, last = Observed(), MAX_ECHOES + 1
    for version in range(1, last + 1):
        metadata = {"namespace": "default", "name": f"rate-{version}", "uid": "uid", "resourceVersion": str(version)}
        observed.note_written(ConfigMap.from_body({"metadata": metadata}))
    echoes = [observed.echo("ConfigMap", version) for version in (1, last)]
    assert echoes == [None, ObjectKey("default", f"rate-{last}")]


def asked(request: str) -> str:
    """Give what is remembered of a refresh annotation."""
    annotations = {REFRESH_ANNOTATION: request}
    metadata = {"namespace": "default", "name": "money", "uid": "uid-1", "resourceVersion": "1"}
    return str(ExchangeRate.from_body({"metadata": {**metadata, "annotations": annotations}}).refresh_request)
