"""The ExchangeRates of a stack: their names to Pulumi, what an update waits for, and what becomes of a renamed one."""

import json

from tests.infra.conftest import Program, of_kind, recorded


def test_an_update_waits_for_rates_and_rollout_in_prod() -> None:
    """`pulumi up` is done when the environment's rates are Ready."""
    for rate in of_kind(recorded("prod"), "ExchangeRate"):
        assert rate.inputs["metadata"]["annotations"] == {"pulumi.com/waitFor": "condition=Ready"}
        assert rate.timeouts == ("3m", "3m")  # one that is never Ready is told within one's patience
    (deployment,) = of_kind(recorded("prod"), "Deployment")
    waited = json.loads(deployment.inputs["metadata"]["annotations"]["pulumi.com/waitFor"])
    # Of the new Pod, not of one that is on its way out.
    assert waited == ["jsonpath={.status.updatedReplicas}=1", "jsonpath={.status.availableReplicas}=1"]


def test_an_update_does_not_wait_for_a_suspended_rate(program: Program) -> None:
    """It never becomes Ready; one beside it that says it is not suspended is waited for."""
    rates = [{"currency": "USD", "suspend": True}, {"currency": "GBP", "suspend": False}, {"currency": "JPY"}]
    recording = program(rates=json.dumps(rates), waitForRates="true")
    awaited = {
        rate.inputs["spec"]["currency"]: rate.inputs["metadata"].get("annotations")
        for rate in of_kind(recording, "ExchangeRate")
    }
    wait = {"pulumi.com/waitFor": "condition=Ready"}
    assert awaited == {"USD": None, "GBP": wait, "JPY": wait}


def test_stack_config_drives_the_rates(program: Program) -> None:
    """A rate's fields become its spec, and its name and namespace have defaults."""
    rates = [{"currency": "CHF"}, {"name": "yen", "namespace": "shop", "currency": "JPY", "base": "USD"}]
    found = {
        (rate.inputs["metadata"]["namespace"], rate.inputs["metadata"]["name"]): rate.inputs["spec"]
        for rate in of_kind(program(rates=json.dumps(rates)), "ExchangeRate")
    }
    assert found == {
        ("default", "exchange-rate-chf"): {"currency": "CHF"},
        ("shop", "yen"): {"currency": "JPY", "base": "USD"},
    }


def test_rates_whose_names_join_alike_are_two(program: Program) -> None:
    """A hyphen may be in a name and in a namespace; a stack of an older version keeps its objects by their aliases."""
    rates = [
        {"name": "a-usd", "namespace": "team", "currency": "USD"},
        {"name": "usd", "namespace": "team-a", "currency": "USD"},
    ]
    found = {rate.name: rate.aliases for rate in of_kind(program(rates=json.dumps(rates)), "ExchangeRate")}
    former = ("exchange-rate-operator-rate-team-a-usd",)
    assert found == {
        "exchange-rate-operator-rate-team/a-usd": former,
        "exchange-rate-operator-rate-team-a/usd": former,
    }


def test_a_renamed_rate_is_one_replacement_that_deletes_first(program: Program) -> None:
    """Both would want one ConfigMap; Pulumi finds the old one by its alias, also as an older version called it."""
    rates = [{"name": "b", "formerName": "a", "currency": "USD", "target": {"name": "x"}}]
    (rate,) = of_kind(program(rates=json.dumps(rates)), "ExchangeRate")
    assert rate.delete_before_replace
    prefix = "exchange-rate-operator-rate-default"
    assert {f"{prefix}/a", f"{prefix}-a"} < set(rate.aliases)
    assert rate.inputs["spec"] == {"currency": "USD", "target": {"name": "x"}}


def test_another_config_map_leaves_a_rate_in_its_place(program: Program) -> None:
    """A new `target.name` is an update of the object that is there: its name to Pulumi is the same."""
    first, second = (
        of_kind(program(rates=json.dumps([{"currency": "USD", **target}])), "ExchangeRate")[0].urn
        for target in ({}, {"target": {"name": "x"}})
    )
    assert first == second
