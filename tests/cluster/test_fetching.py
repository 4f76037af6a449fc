"""What the rate providers are asked, counted where they are: once for all, and not more often while they fail."""

from collections.abc import Callable
from itertools import count, pairwise

from tests.cluster.audit import Audit
from tests.cluster.operator_process import StartOperator
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, KIND, REFRESH_ANNOTATION
from exchangerates.source import QUICK_TRIES
from localcluster.client import Client, Reference
from localcluster.rateserver import Fault, RateServer
from localcluster.rateserver.faults import RETRY_AFTER_S

MANY = 1000
WITHIN_S = 180.0
"""A thousand objects on a slow machine, and the shortest interval with its jitter."""


def test_a_thousand_impatient_objects_cost_one_call(
    start_operator: StartOperator,
    namespace: Namespace,
    client: Client,
    rates: RateServer,
    audit: Callable[[], Audit],
) -> None:
    """With the shortest interval, a hundred requests and two restarts: the provider's least interval holds."""
    environment = {"EXCHANGERATES_MIN_FETCH_INTERVALS": "frankfurter=1h"}
    operator = start_operator(**environment)
    names = [f"rate-{number}" for number in range(MANY)]
    for number, name in enumerate(names):
        namespace.rate(name, currency=("USD", "JPY", "GBP", "CHF")[number % 4], refreshInterval="1m")
    for name in names:
        namespace.wait(name, within_s=WITHIN_S)
    assert rates.calls == {"frankfurter": 1}

    for number in range(100):
        reference = Reference(API_VERSION, KIND, namespace.name, names[number])
        client.patch(reference, {"metadata": {"annotations": {REFRESH_ANNOTATION: "now"}}})
    for name in names[:100]:
        eventually(lambda name=name: "lastRefresh" in namespace.get(name)["status"], f"{name} is acknowledged")  # type: ignore[misc] # bound now
    assert rates.calls == {"frankfurter": 1}

    for _ in range(2):
        operator.stop()
        log = audit()
        start_operator(**environment)
        eventually(lambda: operator.passes("Published") >= MANY, "all are looked at", WITHIN_S)
        assert log.writes() == []
    assert rates.calls == {"frankfurter": 1}


def test_fifty_objects_without_a_rate_keep_a_failing_providers_pauses(
    start_operator: StartOperator, namespace: Namespace, rates: RateServer
) -> None:
    """Three quick tries, then one call per least interval, whoever asks; both providers of the chain alike."""
    least_s = 5.0
    rates.fail("frankfurter", Fault.HTTP_500)
    rates.fail("ecb", Fault.TRUNCATED)
    start_operator(EXCHANGERATES_MIN_FETCH_INTERVALS="frankfurter=5s,ecb=5s")
    for number in range(50):
        namespace.rate(f"rate-{number}")
    eventually(lambda: min(rates.calls["frankfurter"], rates.calls["ecb"]) >= QUICK_TRIES + 3, "both are tried", 90.0)
    for provider in ("frankfurter", "ecb"):
        gaps = [after - before for before, after in pairwise(rates.times[provider])]
        assert min(gaps[:QUICK_TRIES]) >= 1.0
        assert min(gaps[QUICK_TRIES:]) >= least_s - 0.1
    rates.heal()
    for number in range(50):
        namespace.wait(f"rate-{number}")


def test_what_a_provider_asks_for_by_retry_after_is_kept(
    start_operator: StartOperator, namespace: Namespace, rates: RateServer
) -> None:
    """Also where it is longer than a quick try, and by every object."""
    rates.fail("frankfurter", Fault.HTTP_429_RETRY_AFTER, times=3)
    start_operator(EXCHANGERATES_MIN_FETCH_INTERVALS="frankfurter=1s")
    for number in range(20):
        namespace.rate(f"rate-{number}", provider="frankfurter")
    for number in range(20):
        namespace.wait(f"rate-{number}")
    assert rates.calls == {"frankfurter": 4}
    assert min(after - before for before, after in pairwise(rates.times["frankfurter"])) >= RETRY_AFTER_S


def test_a_hanging_provider_delays_nobody_who_does_not_need_it(
    start_operator: StartOperator, namespace: Namespace, client: Client, rates: RateServer
) -> None:
    """While thirty objects wait for its answer, a ConfigMap is repaired and another provider's rate is published."""
    start_operator(EXCHANGERATES_MIN_FETCH_INTERVALS="frankfurter=1s")
    namespace.rate("known", provider="ecb", refreshInterval="720h")
    namespace.wait("known")
    rates.fail("frankfurter", Fault.HANG)
    for number in range(30):
        namespace.rate(f"waits-{number}", provider="frankfurter")
    eventually(lambda: rates.calls["frankfurter"] == 1, "it is asked")
    client.delete(Reference("v1", "ConfigMap", namespace.name, "known"))
    eventually(lambda: namespace.data("known"), "the ConfigMap is put back")
    namespace.rate("new", provider="ecb")
    namespace.wait("new")
    assert rates.calls["frankfurter"] == 1, "the call still hangs"
    assert namespace.ready("waits-0") == ("", "")


def test_the_first_choice_serves_again_when_it_is_back(
    start_operator: StartOperator, namespace: Namespace, rates: RateServer
) -> None:
    """Its fallback is asked once meanwhile."""
    rates.fail("frankfurter", Fault.HTTP_503, times=1)
    start_operator(EXCHANGERATES_MIN_FETCH_INTERVALS="frankfurter=1s,ecb=1h")
    namespace.rate("first")
    namespace.wait("first")
    assert namespace.data("first")["provider"] == "ecb"

    names = (f"later-{number}" for number in count())

    def served() -> bool:
        name = next(names)
        namespace.rate(name)
        namespace.wait(name)
        return namespace.data(name)["provider"] == "frankfurter"

    eventually(served, "the first choice serves new objects")
    assert rates.calls["ecb"] == 1
