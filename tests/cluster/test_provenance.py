"""Where a rate comes from and since when it is published: in the ConfigMap, in the status, and as one document."""

import json

from tests.cluster.operator_process import StartOperator
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually


def test_config_map_and_status_say_where_a_rate_comes_from(start_operator: StartOperator, namespace: Namespace) -> None:
    """A derived one and a direct one; the document repeats it all, and a restart changes nothing of it."""
    operator = start_operator()
    namespace.rate()
    namespace.rate("yen", base="USD", currency="JPY", provider="ecb")
    namespace.wait()
    namespace.wait("yen")
    direct, derived = namespace.config_map() or {}, namespace.config_map("yen") or {}
    assert (direct["data"]["provider"], direct["data"]["derived"]) == ("frankfurter", "false")
    assert (derived["data"]["provider"], derived["data"]["derived"]) == ("ecb", "true")
    (entry,) = namespace.get("yen")["status"]["rates"]
    assert derived["data"]["publishedAt"] == entry["publishedAt"]
    assert json.loads(derived["data"]["quote"]) == {"base": "USD", "provider": "ecb", **entry}
    versions = [body["metadata"]["resourceVersion"] for body in (direct, derived)]

    operator.stop()
    operator.start()
    namespace.change("yen", refreshInterval="2h")
    namespace.wait("yen")
    eventually(lambda: operator.passes("Published") >= 3, "both are looked at again")
    now = [(namespace.config_map(name) or {})["metadata"]["resourceVersion"] for name in ("exchange-rate-usd", "yen")]
    assert now == versions
