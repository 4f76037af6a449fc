"""What the API server refuses at the door, and what a user reads then."""

import pytest
from tests.cluster.user import Namespace
from tests.infra.refused_rates import REFUSED, Refused

from exchangerates.api import API_VERSION, KIND
from localcluster.client import Client
from localcluster.errors import ApiError

THREE_LETTERS = "must be three capital letters, an ISO 4217 code such as USD"
INTERVAL = "must be a duration from 1m to 720h in hours, minutes and seconds, such as 90s, 30m or 1h"


@pytest.mark.parametrize(
    ("spec", "field", "told"),
    [
        pytest.param({"currency": "usd"}, "spec.currency", THREE_LETTERS, id="lower case"),
        pytest.param({"currency": "USDX"}, "spec.currency", THREE_LETTERS, id="four letters"),
        pytest.param({"currency": ""}, "spec.currency", THREE_LETTERS, id="empty"),
        pytest.param({"currency": 840}, "spec.currency", "must be of type string", id="a number"),
        pytest.param({"currency": None}, "spec", "needs exactly one of currency", id="missing"),
        pytest.param({"base": "eur"}, "spec.base", "such as EUR", id="base"),
        pytest.param({"refreshInterval": "1s"}, "spec.refreshInterval", INTERVAL, id="too short"),
        pytest.param({"refreshInterval": "7d"}, "spec.refreshInterval", "write 168h for 7 days", id="days"),
        pytest.param({"refreshInterval": "9999999h"}, "spec.refreshInterval", INTERVAL, id="too many digits"),
        pytest.param({"maxAge": "1m"}, "spec.maxAge", "from 1h to 87600h", id="age too short"),
        pytest.param(
            {"provider": "fixer"},
            "spec.provider",
            '"frankfurter", "ecb", "exchangeratesapi", "openexchangerates", "frankfurter-blended"',
            id="provider",
        ),
        pytest.param({"target": {"name": "A B"}}, "spec.target.name", "must be a ConfigMap name", id="target"),
    ],
)
def test_a_bad_spec_is_refused_with_what_to_write(
    namespace: Namespace, spec: dict[str, object], field: str, told: str
) -> None:
    """The API server's answer names the field and what is expected."""
    with pytest.raises(ApiError) as caught:
        namespace.rate("exchange-rate-usd", **spec)
    assert caught.value.status == 422
    assert field in caught.value.message
    assert told in caught.value.message


def test_what_the_tutorial_wrote_is_accepted(namespace: Namespace) -> None:
    """Its objects stay valid for ever, and nothing is written into their specs."""
    reference = namespace.rate("exchange-rate-usd", currency="USD")
    assert namespace.get(reference.name)["spec"] == {"currency": "USD"}


def answer(client: Client, case: Refused) -> int:
    """Ask the API server about an entry of a stack's rates: as the object that Pulumi makes of it, or its ConfigMap."""
    spec = {field: value for field, value in case.entry.items() if field != "name"}
    metadata = {"name": case.entry.get("name", "exchange-rate-usd"), "namespace": "default"}
    body: dict[str, object] = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}
    path = f"/apis/{API_VERSION}/namespaces/default/exchangerates"
    if case.config_map:
        parts = dict(spec["target"])
        data = {parts.pop("key", "rate"): "1"}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**metadata, **parts}, "data": data}
        path = "/api/v1/namespaces/default/configmaps"
    try:
        client.request("POST", path, body, params={"dryRun": "All", "fieldValidation": "Strict"})
    except ApiError as error:
        return error.status
    return 201


def test_what_a_preview_refuses_is_what_the_api_server_refuses(namespace: Namespace, client: Client) -> None:
    """Each entry of a stack's rates that is refused before anything is touched would have failed halfway."""
    assert namespace.name
    assert {what: found for what, case in REFUSED.items() if (found := answer(client, case)) not in {400, 422}} == {}
    right = {"currency": "USD", "target": {"labels": {"team": "a"}, "annotations": {"B.com/c": "d e"}}}
    assert answer(client, Refused(right, "", "")) == answer(client, Refused(right, "", "", config_map=True)) == 201
