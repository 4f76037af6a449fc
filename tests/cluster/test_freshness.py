"""What becomes of a rate that is too old."""

import datetime as dt

import pytest
from tests.cluster.operator_process import StartOperator
from tests.cluster.user import Namespace

from localcluster.errors import ApiError
from localcluster.rateserver import RateServer


def test_an_old_rate_is_withdrawn_and_put_back_by_a_new_quote(
    start_operator: StartOperator, namespace: Namespace, rates: RateServer
) -> None:
    """Only where the object asks for it; what is left says what it was."""
    today = dt.datetime.now(dt.UTC).date()
    rates.replay(dt.date(2026, 10, 30), dated=today - dt.timedelta(days=9))
    operator = start_operator(EXCHANGERATES_MIN_FETCH_INTERVALS="frankfurter=1s")
    namespace.rate("withdraw", onStale="Withdraw", maxAge="168h")
    namespace.rate("keep", maxAge="168h")
    namespace.wait("withdraw", "RateTooOld")
    namespace.wait("keep", "RateTooOld")
    assert namespace.data("keep")["rate"] == "1.1172"
    assert namespace.data("withdraw").keys() == {"base", "currency", "date", "provider", "derived", "publishedAt"}
    rates.replay(dt.date(2026, 10, 30), dated=today)
    operator.stop()
    operator.start(EXCHANGERATES_MIN_FETCH_INTERVALS="frankfurter=1s")
    namespace.wait("withdraw")
    assert namespace.data("withdraw")["rate"] == "1.1172"


def test_an_unknown_way_to_be_stale_is_refused(namespace: Namespace) -> None:
    """With those that there are."""
    with pytest.raises(ApiError, match='"Keep", "Withdraw"'):
        namespace.rate(onStale="Delete")
