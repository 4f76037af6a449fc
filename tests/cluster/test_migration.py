"""Objects of the tutorial's operator, with its finalizer, its status and the ConfigMap that it generated."""

from tests.cluster.operator_process import StartOperator
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, KIND
from localcluster.client import Client, Reference

FINALIZER = "kopf.zalando.org/KopfFinalizerMarker"
GENERATED = "exchange-rate-usd-x7k2p"


def tutorial_object(client: Client, namespace: Namespace) -> Reference:
    """Leave behind what the tutorial's operator leaves: Kopf's annotation and finalizer, its result, its ConfigMap."""
    last = '{"spec":{"currency":"USD"}}\n'
    body = client.create(
        {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {
                "name": "exchange-rate-usd",
                "namespace": namespace.name,
                "finalizers": [FINALIZER],
                "annotations": {"kopf.zalando.org/last-handled-configuration": last},
            },
            "spec": {"currency": "USD"},
            "status": {"on_create": {"configmap-name": GENERATED}},
        }
    )
    owner = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": "exchange-rate-usd",
        "uid": body["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata = {"name": GENERATED, "namespace": namespace.name, "ownerReferences": [owner]}
    client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"rate": "1.05"}})
    return Reference.of(body)


def test_a_tutorial_object_is_taken_over(start_operator: StartOperator, namespace: Namespace, client: Client) -> None:
    """Its finalizer goes, its rate is published under its own name, and the generated ConfigMap is left as it was."""
    reference = tutorial_object(client, namespace)
    before = namespace.config_map(GENERATED)
    start_operator()
    eventually(lambda: "finalizers" not in (client.get(reference) or {})["metadata"], "the finalizer is taken off")
    namespace.wait()
    assert namespace.data()["rate"] == "1.1172"
    assert namespace.config_map(GENERATED) == before
    client.delete(reference)
    eventually(lambda: client.get(reference) is None, "the object is gone")
    eventually(lambda: namespace.config_map(GENERATED) is None, "the generated ConfigMap goes with it", 90.0)


def test_the_generated_config_map_is_kept_up_where_the_target_names_it(
    start_operator: StartOperator, namespace: Namespace, client: Client
) -> None:
    """Consumers of the generated name go on reading it: it is the object's own, so it is taken up."""
    reference = tutorial_object(client, namespace)
    uid = (namespace.config_map(GENERATED) or {})["metadata"]["uid"]
    start_operator()
    eventually(lambda: "finalizers" not in (client.get(reference) or {})["metadata"], "the finalizer is taken off")
    namespace.wait()
    namespace.change("exchange-rate-usd", target={"name": GENERATED})
    namespace.wait()
    taken = namespace.config_map(GENERATED) or {}
    assert taken["metadata"]["uid"] == uid
    assert taken["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "exchange-rate-operator"
    assert (taken["data"]["rate"], taken["data"]["date"]) == ("1.1172", "2026-10-30")
    eventually(lambda: namespace.config_map() is None, "the one of the object's own name is removed")
