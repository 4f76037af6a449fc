"""A ConfigMap that somebody changes: what is put back, what is left alone, and that nobody is fought."""

import threading
from collections.abc import Callable

import pytest
from tests.cluster.audit import USER, Audit
from tests.cluster.operator_process import Operator
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from localcluster.client import Client, Reference
from localcluster.errors import ApiError
from localcluster.rateserver import RateServer

LABEL = "app.kubernetes.io/managed-by"
NAME = "exchange-rate-usd"


@pytest.fixture
def config_map(operator: Operator, namespace: Namespace) -> Reference:
    """A published ConfigMap."""
    assert operator.process.pid
    namespace.rate()
    namespace.wait()
    return Reference("v1", "ConfigMap", namespace.name, NAME)


def test_edited_data_is_put_back_without_a_fetch(
    config_map: Reference, namespace: Namespace, client: Client, rates: RateServer
) -> None:
    """Changed, removed and foreign keys, binary ones too; labels and annotations of others stay."""
    before, calls = namespace.config_map() or {}, rates.calls.total()
    edit = {"rate": "9.99", "date": None, "password": "x"}
    metadata = {"labels": {"team": "shop"}, "annotations": {"example.com/note": "mine"}}
    client.patch(config_map, {"data": edit, "binaryData": {"blob": "eA=="}, "metadata": metadata})
    eventually(lambda: namespace.data() == before["data"], "the data is put back")
    after = namespace.config_map() or {}
    assert "binaryData" not in after
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["labels"]["team"] == "shop"
    assert after["metadata"]["annotations"] == {"example.com/note": "mine"}
    assert rates.calls.total() == calls


def test_a_rate_that_moved_to_the_binary_data_is_put_back(
    config_map: Reference, namespace: Namespace, client: Client
) -> None:
    """The API server refuses one key in both."""
    client.patch(config_map, {"data": {"rate": None}, "binaryData": {"rate": "eA=="}})
    eventually(lambda: namespace.data().get("rate") == "1.1172", "the rate is put back")


def test_a_stripped_label_is_given_back(config_map: Reference, namespace: Namespace, client: Client) -> None:
    """Without it the operator's watch would not see the ConfigMap."""
    uid = (namespace.config_map() or {})["metadata"]["uid"]
    client.patch(config_map, {"metadata": {"labels": {LABEL: None}}})
    eventually(lambda: LABEL in (namespace.config_map() or {})["metadata"].get("labels", {}), "the label is back")
    assert (namespace.config_map() or {})["metadata"]["uid"] == uid
    client.delete(config_map)
    eventually(lambda: namespace.data().get("rate") == "1.1172", "it is watched again")


def test_a_config_map_without_its_owner_reference_is_a_strangers(
    config_map: Reference, namespace: Namespace, client: Client
) -> None:
    """Who takes it off takes the ConfigMap over: the object says so, and makes its own when the name is free."""
    client.patch(config_map, {"metadata": {"ownerReferences": None}, "data": {"rate": "mine"}})
    namespace.wait(reason="TargetConflict")
    taken = namespace.config_map() or {}
    assert taken["data"]["rate"] == "mine"
    assert "ownerReferences" not in taken["metadata"]
    client.delete(config_map)
    namespace.wait()
    assert namespace.data()["rate"] == "1.1172"


def test_an_immutable_config_map_stays_until_its_rate_changes(
    config_map: Reference, namespace: Namespace, client: Client
) -> None:
    """Nothing but a new ConfigMap can carry a new rate then."""
    client.patch(config_map, {"immutable": True})
    before = namespace.config_map() or {}
    namespace.rate("another")
    namespace.wait("another")
    assert namespace.config_map() == before
    with pytest.raises(ApiError, match="immutable"):
        client.patch(config_map, {"data": {"rate": "9"}})
    namespace.change(NAME, currency="GBP")
    namespace.wait()
    after = namespace.config_map() or {}
    assert after["data"]["currency"] == "GBP"
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert "immutable" not in after


def test_who_keeps_changing_a_config_map_is_not_fought_hot(
    config_map: Reference, namespace: Namespace, client: Client, audit: Callable[[], Audit]
) -> None:
    """Every repair is undone at once, a hundred times in a row if there were as many; after a few they come rarely."""
    log, ended, fights = audit(), threading.Event(), 0

    def fight() -> None:
        nonlocal fights
        while not ended.is_set():
            if namespace.data().get("rate") != "mine":
                client.patch(config_map, {"data": {"rate": "mine"}})
                fights += 1

    opponent = threading.Thread(target=fight)
    opponent.start()
    try:
        eventually(lambda: fights >= 5, "the operator keeps repairing, at growing intervals")
        ended.wait(5.0)
    finally:
        ended.set()
        opponent.join()
    repairs = [entry for entry in log.requests(USER) if entry["verb"] == "patch" and NAME in entry["requestURI"]]
    assert len(repairs) <= 7, "three at once, then after 2, 4, 8 and 16 s"
    eventually(lambda: namespace.data().get("rate") == "1.1172", "it is repaired when the other one is gone", 60.0)


def test_terminating_objects_are_left_alone(
    operator: Operator, namespace: Namespace, client: Client, audit: Callable[[], Audit]
) -> None:
    """An object that waits for somebody else's finalizer gets its ConfigMap put back no more."""
    assert operator.process.pid
    held = namespace.rate("held")
    namespace.wait("held")
    client.patch(held, {"metadata": {"finalizers": ["example.com/wait"]}})
    log = audit()
    client.delete(held)
    client.delete(Reference("v1", "ConfigMap", namespace.name, "held"))
    eventually(lambda: namespace.config_map("held") is None, "the ConfigMap is gone")
    namespace.rate("after")
    namespace.wait("after")
    made = [write for write in log.writes() if write.startswith("create ")]
    assert (len(made), [write for write in log.writes() if "held" in write]) == (1, [])
    client.patch(held, {"metadata": {"finalizers": None}})
    eventually(lambda: client.get(held) is None, "the object is gone")
    assert namespace.config_map("held") is None


def test_a_terminating_namespace_is_left_alone(
    operator: Operator, namespace: Namespace, client: Client, audit: Callable[[], Audit]
) -> None:
    """What holds it up is somebody else's: no ConfigMap is made again in it, and nobody asks more than once."""
    assert operator.process.pid
    namespace.rate("held")
    namespace.wait("held")
    finalizers = {"name": "holds-up", "namespace": namespace.name, "finalizers": ["example.com/wait"]}
    holds_up = Reference.of(client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": finalizers}))
    log, whole = audit(), Reference("v1", "Namespace", "", namespace.name)
    client.delete(whole)
    eventually(lambda: namespace.config_map("held") is None, "its ConfigMap is gone")
    eventually(lambda: namespace.find("held") is None, "its object is gone")
    elsewhere = Namespace(client, "default")
    after = elsewhere.rate("after")
    elsewhere.wait("after")
    client.delete(after)
    assert len([write for write in log.writes() if f"/{namespace.name}/" in write]) <= 1
    assert namespace.config_map("held") is None
    client.patch(holds_up, {"metadata": {"finalizers": None}})
    eventually(lambda: client.get(whole) is None, "the namespace is gone")
