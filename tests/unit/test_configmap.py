"""The desired ConfigMap: what it holds, and the smallest patch that leads there."""

import datetime as dt
import json
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from exchangerates import configmap
from exchangerates.api import KIND
from exchangerates.objects import OWN_LABELS, ConfigMap, ExchangeRate, ObjectKey
from exchangerates.publication import Publication
from exchangerates.rates import Price, Quote, RateTable, parse_rate
from exchangerates.spec import Defaults, ExchangeRateSpec, parse_spec
from exchangerates.target import Target

SINCE = "2026-11-02T12:00:00Z"
QUOTE = Quote("EUR", "USD", "1.1172", dt.date(2026, 10, 30), "ecb", derived=False, since=SINCE)
TARGET = Target("money", "rate", labels={}, annotations={})
TEAM = Target("money", "rate", labels={"team": "shop"}, annotations={"example.com/reload": "true"})
OWNER = ExchangeRate(ObjectKey("default", "money"), "uid-1", 1, 1, deleting=False, spec={"currency": "USD"}, status={})
SPEC = ExchangeRateSpec(("USD",), "EUR", None, 3600.0, 604800.0, suspend=False, target=TARGET)
DATA = configmap.data_of(SPEC, Publication((QUOTE,)))
GUARD = {"uid": "uid-2", "resourceVersion": "7"}


def held(**changed: Any) -> ConfigMap:  # noqa: ANN401 - fields of a ConfigMap
    """Give an own ConfigMap that holds the quote."""
    values: dict[str, Any] = {
        "key": ObjectKey("default", "money"),
        "uid": "uid-2",
        "resource_version": 7,
        "owner_uid": "uid-1",
        "owner_name": "money",
        "labels": OWN_LABELS,
        "own_labels": frozenset(OWN_LABELS),
        "immutable": False,
        "data": DATA,
    }
    return ConfigMap(**{**values, **changed})


def test_a_config_map_that_is_right_is_not_written() -> None:
    """Nothing to do is None; what others added to its metadata is theirs."""
    assert configmap.patch_to(held(), TARGET, DATA) is None
    theirs = {"labels": {**OWN_LABELS, "theirs": "x"}, "annotations": {"theirs": "x"}}
    assert configmap.patch_to(held(**theirs), TARGET, DATA) is None


def test_a_patch_names_what_was_observed_and_what_differs() -> None:
    """The API server refuses it on anything else; foreign keys go, also binary ones."""
    damaged = {**DATA, "rate": "9", "extra": "x"}
    patch = configmap.patch_to(held(data=damaged, binary_keys=frozenset({"blob"})), TARGET, DATA)
    assert patch == {"metadata": GUARD, "data": {"rate": "1.1172", "extra": None}, "binaryData": {"blob": None}}


def test_a_lost_label_is_given_back() -> None:
    """Without it the watch would not see the ConfigMap."""
    assert configmap.patch_to(held(labels={}), TARGET, DATA) == {"metadata": {**GUARD, "labels": OWN_LABELS}}


def test_labels_and_annotations_of_the_spec_come_and_go() -> None:
    """Those that only the operator set are removed when the spec drops them, those of others never."""
    body = configmap.desired_body(OWNER, TEAM, DATA)
    assert body["metadata"]["labels"] == {"team": "shop", **OWN_LABELS}
    assert body["metadata"]["annotations"] == {"example.com/reload": "true"}
    seen = held(
        labels={**OWN_LABELS, "team": "shop", "theirs": "x"},
        own_labels=frozenset({*OWN_LABELS, "team"}),
        annotations={"example.com/reload": "true", "theirs": "x"},
        own_annotations=frozenset({"example.com/reload"}),
    )
    assert configmap.patch_to(seen, TEAM, DATA) is None
    dropped = {"labels": {"team": None}, "annotations": {"example.com/reload": None}}
    assert configmap.patch_to(seen, TARGET, DATA) == {"metadata": {**GUARD, **dropped}}


def test_the_operators_own_label_cannot_be_overwritten() -> None:
    """Not even by a stored spec that today's validation would refuse."""
    greedy = Target("money", "rate", labels={"app.kubernetes.io/managed-by": "me"}, annotations={})
    assert configmap.labels_of(greedy) == OWN_LABELS


def test_another_key_takes_the_rate_and_the_former_goes() -> None:
    """The rate is in one place only."""
    spec = replace(SPEC, target=replace(TARGET, key="usd"))
    patch = configmap.patch_to(held(), spec.target, configmap.data_of(spec, Publication((QUOTE,))))
    assert patch == {"metadata": GUARD, "data": {"usd": "1.1172", "rate": None}}


def test_the_data_says_where_the_rate_comes_from_and_since_when() -> None:
    """One key each, and all of one moment in one document whose rate is text."""
    document = DATA.pop("quote")
    common = {"base": "EUR", "currency": "USD", "rate": "1.1172", "date": "2026-10-30", "provider": "ecb"}
    assert {**common, "derived": "false", "publishedAt": SINCE} == DATA
    DATA["quote"] = document
    assert json.loads(document) == {**common, "derived": False, "publishedAt": SINCE}


def test_what_is_not_known_is_not_told() -> None:
    """A quote that was published before there was a time of publication."""
    data = configmap.data_of(SPEC, Publication((replace(QUOTE, since=None),)))
    assert "publishedAt" not in data
    assert "publishedAt" not in data["quote"]


@pytest.mark.parametrize("key", ["derived", "publishedAt", "quote", "currencies"])
def test_a_rates_key_wins_over_a_newer_one_of_the_operator(key: str) -> None:
    """Specs from before there were these keys stay valid, and their rate stays where it was."""
    raw = {"currency": "USD", "target": {"key": key}}
    spec = parse_spec("money", raw, Defaults("EUR", ("ecb",), 3600.0, 604800.0))
    assert configmap.data_of(spec, Publication((QUOTE,)))[key] == "1.1172"


def test_a_time_of_publication_is_taken_up_from_a_config_map_only_with_its_quote() -> None:
    """It was written, and the status was not: the time stays. Any difference makes it another quote's."""
    assert configmap.written_since(DATA, SPEC, (replace(QUOTE, since=None),)) == SINCE
    assert configmap.written_since(DATA, SPEC, (replace(QUOTE, rate="1.2"),)) is None
    assert configmap.written_since({**DATA, "rate": "9"}, SPEC, (QUOTE,)) is None
    assert configmap.written_since({}, SPEC, (QUOTE,)) is None


def test_a_new_config_map_is_owned_without_rights_on_finalizers() -> None:
    """`blockOwnerDeletion` is not there."""
    body = configmap.desired_body(OWNER, TARGET, DATA)
    (reference,) = body["metadata"]["ownerReferences"]
    assert reference["controller"] is True
    assert "blockOwnerDeletion" not in reference


def test_what_the_operator_set_is_read_from_the_bookkeeping() -> None:
    """A key that somebody else set too is not the operator's to remove."""

    def entry(manager: str, *labels: str) -> dict[str, Any]:
        return {
            "manager": manager,
            "fieldsV1": {"f:metadata": {"f:labels": {".": {}, **{f"f:{x}": {} for x in labels}}}},
        }

    managers = [entry("exchange-rate-operator", "team", "tier"), entry("kubectl-label", "tier"), {"manager": "odd"}]
    body = {
        "metadata": {
            "name": "money",
            "namespace": "default",
            "uid": "uid-2",
            "resourceVersion": "7",
            "labels": {"team": "shop", "tier": "one"},
            "managedFields": managers,
            "ownerReferences": [{"kind": KIND, "name": "money", "uid": "uid-1", "controller": True}],
        }
    }
    assert ConfigMap.from_body(body).own_labels == {"team"}


def test_a_set_has_a_key_per_currency_and_one_document() -> None:
    """Without the keys of a single rate; the date is the oldest."""
    older = Quote("EUR", "GBP", "0.8338", dt.date(2026, 10, 29), "ecb", derived=True, since="2026-10-29T12:00:00Z")
    spec = replace(SPEC, currencies=("USD", "GBP"), is_set=True)
    data = configmap.data_of(spec, Publication((QUOTE, older)))
    document = json.loads(data.pop("quote"))
    assert data == {
        "USD": "1.1172",
        "GBP": "0.8338",
        "base": "EUR",
        "currencies": "USD,GBP",
        "provider": "ecb",
        "date": "2026-10-29",
        "derived": "true",
        "publishedAt": SINCE,
    }
    assert document["rates"]["GBP"] == {
        "rate": "0.8338",
        "date": "2026-10-29",
        "derived": True,
        "publishedAt": "2026-10-29T12:00:00Z",
    }
    assert configmap.withdrawn(data, spec.target).keys().isdisjoint({"USD", "GBP", "quote"})


codes = st.lists(st.sampled_from(["USD", "GBP", "JPY", "KRW", "EUR", "XAU"]), min_size=1, max_size=4, unique=True)
prices = st.one_of(
    st.decimals("0.000000001", "1e9", places=9), st.sampled_from(["1e-30", "1.5e-7", "9.9e30"]).map(Decimal)
)


@given(
    currencies=codes,
    base=st.sampled_from(["EUR", "USD", "XAU"]),
    rates=st.lists(prices, min_size=5, max_size=5),
    is_set=st.booleans(),
    key=st.sampled_from(["rate", "usd", "derived", "quote", "publishedAt", "currencies", "a.b-c_1"]),
    since=st.sampled_from([SINCE, None]),
)
def test_data_of_anything_is_plain_numbers_and_a_document_that_repeats_them(
    *, currencies: list[str], base: str, rates: list[Decimal], is_set: bool, key: str, since: str | None
) -> None:
    """Of any table and any object: keys that a ConfigMap may have, text, and the same in the document as beside it."""
    others = ["USD", "GBP", "JPY", "KRW", "XAU"]
    table = RateTable("ecb", "EUR", dict(zip(others, (Price(rate, QUOTE.date) for rate in rates), strict=True)))
    wanted = tuple(currencies if is_set else currencies[:1])
    quotes = table.quotes(base, wanted)
    assume(quotes is not None)
    assert quotes is not None
    published = Publication(quotes)
    if since:
        published = published.published_since(since)
    spec = replace(SPEC, base=base, currencies=wanted, is_set=is_set, target=replace(TARGET, key=key))
    data = configmap.data_of(spec, published)
    assert all(re.fullmatch("[-._a-zA-Z0-9]+", name) and isinstance(value, str) for name, value in data.items())
    shown = {code: data[code] for code in wanted} if is_set else {wanted[0]: data[key]}
    assert all(re.fullmatch("[0-9]+([.][0-9]+)?", rate) and parse_rate(rate) > 0 for rate in shown.values())
    if is_set or key != "quote":
        document = json.loads(data["quote"])
        told = document["rates"] if is_set else {document["currency"]: document}
        assert {code: entry["rate"] for code, entry in told.items()} == shown
        assert (document["base"], document["provider"]) == (data["base"], data["provider"]) == (base, "ecb")
        assert {entry["date"] for entry in told.values()} == {data["date"]}
        assert {entry.get("publishedAt") for entry in told.values()} == {since}
    left = configmap.withdrawn(data, spec.target)
    assert left.keys().isdisjoint({*wanted, "rate", "quote", *([] if is_set else [key])})
    assert configmap.written_since(data, spec, quotes) == (since if is_set or key != "publishedAt" else None)
