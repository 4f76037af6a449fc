"""How much is kept of what anybody may write."""

import sys
from collections.abc import Mapping
from typing import Any

import pytest

from exchangerates import bounded, configmap
from exchangerates.api import APPROVE_ANNOTATION, KIND, REFRESH_ANNOTATION
from exchangerates.objects import ConfigMap, ExchangeRate
from exchangerates.target import Target

MANY = {f"{number:06}": "" for number in range(100_000)}
ONE = {"a": "x" * 1_000_000}
SOME = {f"a{number}": "x" * 4096 for number in range(200)}
OWNER = {"kind": KIND, "name": "money", "uid": "uid-1", "controller": True}


def size(value: object) -> int:
    """Give the bytes that a value takes, with all that is in it."""
    parts: list[object] = []
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, frozenset | tuple | list):
        parts = list(value)
    elif hasattr(value, "__slots__"):
        parts = [getattr(value, name) for name in value.__slots__]
    return sys.getsizeof(value) + sum(map(size, parts))


def metadata(**more: object) -> dict[str, Any]:
    """Give an object's metadata."""
    return {"name": "money", "namespace": "default", "uid": "uid-2", "resourceVersion": "7", "generation": 1, **more}


LARGE = pytest.mark.parametrize("large", [MANY, ONE, SOME], ids=["many", "one", "some"])


@LARGE
def test_no_object_of_the_largest_size_is_kept_whole(large: dict[str, str]) -> None:
    """Wherever it has its size: in a spec, in metadata of either kind, in data, and whoever is said to own it."""
    annotations = {REFRESH_ANNOTATION: "x" * 250_000, APPROVE_ANNOTATION: "x" * 250_000}
    fields: dict[str, Any] = {
        "f:metadata": {part: {f"f:{key}": {} for key in large} for part in ("f:labels", "f:annotations")}
    }
    for owners in ([], [OWNER]):
        about = metadata(
            labels=large,
            annotations={**large, **annotations},
            ownerReferences=owners,
            managedFields=[{"manager": "exchange-rate-operator", "fieldsV1": fields}],
        )
        spec = {"currency": "USD", "target": {"labels": large, "annotations": large}}
        assert size(ExchangeRate.from_body({"metadata": about, "spec": spec})) < 20_000
        assert size(ConfigMap.from_body({"metadata": about, "data": large, "binaryData": large})) < 400_000


def test_nothing_is_kept_of_a_strangers_config_map() -> None:
    """Anybody may label one; only whose it is counts."""
    seen = ConfigMap.from_body({"metadata": metadata(labels={"a": "b"}, annotations=SOME), "data": {"a": "b"}})
    assert (seen.data, seen.labels, seen.annotations) == ({}, {}, {})


def test_a_spec_with_all_that_people_write_is_kept() -> None:
    """Thirty-two labels of the longest kind, and some annotations."""
    labels = {f"example.com/{number:02}{'a' * 50}": "b" * 63 for number in range(32)}
    spec = {"currencies": ["USD"] * 64, "target": {"labels": labels, "annotations": {"a": "x" * 4096, "b": "y" * 4096}}}
    seen = ExchangeRate.from_body({"metadata": metadata(), "spec": spec})
    assert (seen.spec, seen.too_large) == (spec, False)


@LARGE
def test_what_is_cut_is_put_right(large: dict[str, str]) -> None:
    """A ConfigMap of the object's own with data that is too large, or an annotation that begins as it should."""
    target = Target("money", "rate", {}, {"a": "x" * bounded.MAX_VALUE_CHARS})
    about = metadata(ownerReferences=[OWNER], annotations={"a": "x" * bounded.MAX_VALUE_CHARS + "y" * 100})
    seen = ConfigMap.from_body({"metadata": about, "data": {"rate": "1.1", **large}})
    assert seen.too_large
    patch = configmap.patch_to(seen, target, {"rate": "1.1"}) or {}
    assert patch["metadata"]["annotations"] == target.annotations
    assert patch["data"]
