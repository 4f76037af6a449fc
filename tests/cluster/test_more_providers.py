"""Rate providers beyond the ECB's: another base and an App ID, and a blend of many banks."""

from tests.cluster.operator_process import StartOperator
from tests.cluster.planted import KEY
from tests.cluster.user import Namespace

from localcluster.rateserver import Fault, RateServer

CHAIN = {
    "EXCHANGERATES_PROVIDERS": "ecb,openexchangerates,frankfurter-blended",
    "EXCHANGERATES_MIN_FETCH_INTERVALS": "openexchangerates=1s,frankfurter-blended=1s",
}


def test_each_publishes_its_own_rates(start_operator: StartOperator, namespace: Namespace, rates: RateServer) -> None:
    """Direct against its base and derived against others, of today and of a past day, with one call each."""
    start_operator(**CHAIN, EXCHANGERATES_OPENEXCHANGERATES_KEY=rates.key)
    namespace.rate("dollar", base="USD", currency="JPY", provider="openexchangerates")
    namespace.rate("euro", currency=None, currencies=["JPY", "USD"], provider="openexchangerates")
    namespace.rate("past", base="USD", currency="EUR", provider="openexchangerates", date="2024-06-28")
    namespace.rate("blended", provider="frankfurter-blended")
    namespace.rate("blended-past", provider="frankfurter-blended", date="2024-06-30")
    for name in ("dollar", "euro", "past", "blended", "blended-past"):
        namespace.wait(name)
    dollar, euro = namespace.data("dollar"), namespace.data("euro")
    assert (dollar["rate"], dollar["derived"], dollar["provider"]) == ("157.250269", "false", "openexchangerates")
    assert (euro["JPY"], euro["USD"], euro["derived"]) == ("175.6799770", "1.117199850", "true")
    assert (namespace.data("past")["rate"], namespace.data("past")["date"]) == ("0.934143", "2024-06-28")
    assert namespace.data("blended")["rate"] == "1.1172"
    assert (namespace.data("blended-past")["rate"], namespace.data("blended-past")["date"]) == ("1.0705", "2024-06-28")
    assert rates.calls == {"openexchangerates": 2, "frankfurter-blended": 2}


def test_a_used_up_plan_is_told_and_not_asked_again(
    start_operator: StartOperator, namespace: Namespace, rates: RateServer
) -> None:
    """By the object that names the provider; the App ID is told nowhere."""
    rates.fail("openexchangerates", Fault.QUOTA)
    start_operator(EXCHANGERATES_PROVIDERS="openexchangerates", EXCHANGERATES_OPENEXCHANGERATES_KEY=KEY)
    for number in range(3):
        namespace.rate(f"rate-{number}")
        namespace.wait(f"rate-{number}", "ProviderRefused")
    (ready, *_) = namespace.get("rate-0")["status"]["conditions"]
    assert "HTTP 429" in ready["message"]
    assert rates.calls == {"openexchangerates": 1}
