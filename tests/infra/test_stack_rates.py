"""The stack's own rates: whatever a cluster would refuse of them, the preview refuses, and all of it at once."""

import datetime as dt
import json

import pytest
from tests.infra.mistakes import CONTEXT, mistakes
from tests.infra.refused_rates import DATE, REFUSED, Refused

from exchangerates_infra.stack_config import StackConfig

GOOD = {
    "name": "exchange-rates.all",
    "namespace": "shop",
    "currencies": ["USD", "GBP"],
    "base": "CHF",
    "provider": "ecb",
    "refreshInterval": "30m",
    "maxAge": "36h",
    "minChangePercent": "0.1",
    "maxChangePercent": "5",
    "onStale": "Withdraw",
    "suspend": False,
    "target": {
        "name": "rates.all",
        "labels": {"team": "", "example.com/Team_A": "a.b-C_1"},
        "annotations": {"Example.com/Note": "Anything at all: even {this}."},
    },
}


def parse(*rates: object, **values: str) -> StackConfig:
    """Check a stack with these rates."""
    return StackConfig.parse({**CONTEXT, "rates": json.dumps(rates), **values})


def refused(*rates: object, **values: str) -> list[str]:
    """Give what is told of a stack with these rates, a line per mistake."""
    return mistakes({"rates": json.dumps(rates), **values})


def test_everything_that_is_right_is_taken_as_it_is() -> None:
    """Each field of a spec, and the day of a rate that stays."""
    day = {"currency": "USD", "date": DATE, "target": {"name": "then", "key": "usd", "immutable": True}}
    first, second = parse(GOOD, day).operator.rates
    assert (first.name, first.namespace) == ("exchange-rates.all", "shop")
    assert first.spec == {field: value for field, value in GOOD.items() if field not in {"name", "namespace"}}
    assert (second.name, second.namespace, second.spec) == ("exchange-rate-usd", "default", day)


@pytest.mark.parametrize("case", [pytest.param(case, id=what) for what, case in REFUSED.items()])
def test_what_a_cluster_refuses_is_refused(case: Refused) -> None:
    """With its whole path and what to write."""
    told = refused({"currency": "JPY"}, case.entry)
    (about,) = [line for line in told if line.startswith(f"rates[1].{case.path}: ")]
    assert case.told in about


@pytest.mark.parametrize(
    ("field", "told"), [("base", "is missing; write three"), ("provider", "'null': write a text, or leave it out")]
)
def test_a_key_without_a_value_is_a_mistake(field: str, told: str) -> None:
    """Who has forgotten the value does not want the default."""
    (line,) = refused({"currency": "USD", field: None})
    assert line.startswith(f"rates[0].{field}: {told}")


def test_each_misspelt_label_and_annotation_is_told_once() -> None:
    """The operator stops at the first one."""
    labels, annotations = {"a b": "x", "c d": "x", "e": "f g"}, {"h i": "x", "j k": "x"}
    told = refused({"currency": "USD", "target": {"labels": labels, "annotations": annotations}})
    where = sorted(line.partition(": write ")[0].removeprefix("rates[0].target.") for line in told)
    mistakes = ["annotations: 'h i'", "annotations: 'j k'", "labels.e: 'f g'", "labels: 'a b'", "labels: 'c d'"]
    assert where == mistakes


def test_all_mistakes_of_a_rate_come_at_once() -> None:
    """Nobody corrects an entry one preview at a time; what is right beside them is no mistake."""
    told = refused(
        {
            "name": "Bad Name",
            "namespace": "Bad_Namespace",
            "currencies": ["usd"],
            "base": "eur",
            "provider": "fixer",
            "refreshInterval": "7d",
            "date": "soon",
            "target": {"name": "A", "key": "x", "immutable": True, "labels": {"a b": "x", "c": "d e"}, "lables": {}},
            "curency": "USD",
        }
    )
    paths = [line.partition(":")[0] for line in told]
    assert sorted(paths) == sorted(
        f"rates[0].{field}"
        for field in (
            *("name", "namespace", "currencies", "base", "provider", "refreshInterval", "date", "curency"),
            *("target.name", "target.key", "target.labels", "target.labels.c", "target.lables"),
        )
    )


def test_two_rates_never_share_a_config_map() -> None:
    """By a given name or by the object's own; in another namespace it is another ConfigMap."""
    usd, gbp = {"currency": "USD"}, {"currency": "GBP", "target": {"name": "exchange-rate-usd"}}
    (told,) = refused(usd, gbp)
    assert told.startswith("rates[1].target.name: 'exchange-rate-usd': write another name: rates[0] is published")
    (told,) = refused(gbp, usd)
    assert told.startswith("rates[1].name: 'exchange-rate-usd': write another name: rates[0] is published")
    (told,) = refused({**usd, "target": {"name": "x"}}, {**gbp, "target": {"name": "x"}})
    assert "rates[1].target.name: 'x'" in told
    assert len(parse(usd, {**gbp, "namespace": "shop"}).operator.rates) == 2


@pytest.mark.parametrize("former", ["exchange-rate-usd", "exchange-rate-gbp", "A b"])
def test_a_former_name_is_nobodys_now(former: str) -> None:
    """Pulumi would take another rate's object for it; in another namespace the name is free."""
    usd, gbp = {"currency": "USD", "formerName": former}, {"currency": "GBP"}
    (told,) = refused(usd, gbp)
    assert told.startswith(f"rates[0].formerName: '{former}': write the name that it had before, which no rate has now")
    elsewhere = {**gbp, "namespace": "shop", "formerName": "exchange-rate-usd"}
    assert parse({"currency": "USD"}, elsewhere).operator.rates[1].former_name == "exchange-rate-usd"


@pytest.mark.parametrize("days", [0, 1, 400])
def test_a_day_has_to_be_over(days: int) -> None:
    """Its rate is not known yet; yesterday's is."""
    today = dt.datetime.now(dt.UTC).date()
    (told,) = refused({"currency": "USD", "date": str(today + dt.timedelta(days=days))})
    assert told.startswith("rates[0].date: ")
    assert "a day that is over (UTC), such as '" in told
    parse({"currency": "USD", "date": str(today - dt.timedelta(days=1))})


def test_a_day_needs_a_provider_that_keeps_its_history() -> None:
    """The one that is named, or one of the chain."""
    stack = {"providers": '["exchangeratesapi", "ecb"]'}
    day = {"currency": "USD", "date": DATE}
    told = refused({**day, "provider": "exchangeratesapi"}, **stack)
    assert [line for line in told if line.startswith("rates[0].date: ")] == [
        (
            f"rates[0].date: '{DATE}': write no date, or name a provider that keeps its history, such as ecb; "
            "exchangeratesapi does not"
        )
    ]
    alone = refused(day, providers='["exchangeratesapi"]')
    assert any(line.startswith(f"rates[0].date: '{DATE}': write no date") for line in alone)
    (about,) = refused(day, providers="[]")  # nobody is asked: there is no more to say of the day
    assert about.startswith("providers: ")
    assert not any(line.startswith("rates[0]") for line in refused(day, **stack))  # the missing API key alone
