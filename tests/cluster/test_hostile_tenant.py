"""A tenant who writes odd, forged or enormous things in their own namespace: nothing that is not theirs changes.

What does harm by its number is in `test_noisy_neighbour.py`.
"""

from collections.abc import Callable
from typing import Any

import pytest
from tests.cluster.audit import Audit
from tests.cluster.operator_process import StartOperator
from tests.cluster.tenant import CALM, Tenant, others, reason_of, stranger
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, APPROVE_ANNOTATION, FIELD_MANAGER, KIND, MANAGED_BY_LABEL, REFRESH_ANNOTATION
from localcluster.client import Client, Reference
from localcluster.errors import ApiError

UNICODE = "é\u202e\u0000\U0001f4b1\ud83d"[:3]
LONG = "n" * 63
LONGEST = ".".join(["n" * 62] * 4)
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "the longest name": (LONGEST + "n" * (253 - len(LONGEST)), {}, {}, "Published"),
    "the longest target": ("longest-target", {}, {"target": {"name": "t" + LONGEST, "key": "k" * 253}}, "Published"),
    "labels at their limit": (
        "labels",
        {"labels": {f"{LONGEST}/{LONG}": LONG}},
        {"target": {"labels": {f"{'a' * 61}{number:02}": LONG for number in range(32)}}},
        "Published",
    ),
    "a label beyond it": ("label", {}, {"target": {"labels": {"a" * 64: "x"}}}, "InvalidSpec"),
    "unicode in a label": ("label-unicode", {}, {"target": {"labels": {UNICODE: UNICODE}}}, "InvalidSpec"),
    "unicode in annotations": (
        "annotations-unicode",
        {"annotations": {"example.com/a": UNICODE, REFRESH_ANNOTATION: UNICODE * 99, APPROVE_ANNOTATION: UNICODE}},
        {"target": {"annotations": {"example.com/a": UNICODE}}},
        "Published",
    ),
    "an annotation's key in unicode": ("key", {}, {"target": {"annotations": {UNICODE: "x"}}}, "InvalidSpec"),
    "the root certificate's name": ("root", {}, {"target": {"name": "kube-root-ca.crt"}}, "refused"),
    "an object of the root certificate's name": ("kube-root-ca.crt", {}, {}, "InvalidSpec"),
    "a currency in unicode": ("currency", {}, {"currency": "\uff35\uff33\uff24"}, "refused"),
    "a currency with a line's end": ("line", {}, {"currency": "USD\n"}, "refused"),
    "a key in unicode": ("key-unicode", {}, {"target": {"key": UNICODE}}, "refused"),
    "an enormous key of a label": ("enormous", {}, {"target": {"labels": {"a" * 1_000_000: "x"}}}, "InvalidSpec"),
    "large annotations": (
        "large",
        {},
        {"target": {"annotations": {f"a{number}": "x" * 4096 for number in range(32)}}},
        "InvalidSpec",
    ),
    "a finalizer": ("finalizer", {"finalizers": ["example.com/never"]}, {}, "Published"),
    "an owner of its own": (
        "owned",
        {"ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": "kube-system", "uid": "1"}]},
        {},
        "gone",
    ),
}


def test_what_is_at_the_limits_is_published_or_refused_in_words(
    start_operator: StartOperator, namespace: Namespace, tenant: Tenant, client: Client
) -> None:
    """At the door, or in the object's own condition; nothing of it fails a pass."""
    operator = start_operator(**CALM)
    before = others(client, namespace.name)
    for case, (name, metadata, spec, reason) in CASES.items():
        body = tenant.rate(name, metadata, **spec)
        if reason == "refused":
            with pytest.raises(ApiError, match=r"Invalid|must"):
                tenant.client.create(body)
            continue
        tenant.client.create(body)
        if reason == "gone":
            continue
        reference = Reference.of(body)
        eventually(
            lambda: reason_of(client, reference) == reason,  # noqa: B023 - it is asked here
            f"{case}: {reason}, not {reason_of(client, reference)}",
        )
    client.patch(Reference(API_VERSION, KIND, tenant.namespace.name, "finalizer"), {"metadata": {"finalizers": None}})
    conditions = [
        c
        for item in client.items(API_VERSION, KIND, tenant.namespace.name)
        for c in item.get("status", {}).get("conditions", ())
    ]
    assert max(len(condition["message"]) for condition in conditions) < 2000
    assert "Traceback" not in operator.process.log.read_text()
    assert max(map(len, operator.process.log.read_text().splitlines())) < 4000
    assert others(client, namespace.name) == before


def test_names_that_are_taken_stay_their_owners(start_operator: StartOperator, tenant: Tenant, client: Client) -> None:
    """The cluster's root certificate, a colleague's ConfigMap and that of a colleague's object, in one namespace."""
    start_operator(**CALM)
    colleague = tenant.namespace
    stranger(colleague, client, "colleagues")
    eventually(lambda: colleague.config_map("kube-root-ca.crt"), "the control plane has put its certificate there")
    colleague.rate("colleague", target={"name": "published"})
    colleague.wait("colleague")
    names = ("kube-root-ca.crt", "colleagues", "published")
    before = [colleague.config_map(name) for name in names]
    for name in names[1:]:
        tenant.client.create(tenant.rate(f"wants-{name}", target={"name": name}))
        colleague.wait(f"wants-{name}", "TargetConflict")
    for name in names[:2]:
        tenant.client.create(tenant.rate(name))
        colleague.wait(name, "InvalidSpec" if name == names[0] else "TargetConflict")
    assert [colleague.config_map(name) for name in names] == before


def test_forged_owners_and_labels_reach_nobody_elses(
    start_operator: StartOperator,
    namespace: Namespace,
    tenant: Tenant,
    client: Client,
    audit: Callable[[], Audit],
) -> None:
    """ConfigMaps that name a victim's object as their owner, of the same name, in the tenant's namespace."""
    start_operator(**CALM)
    victims = namespace.rate("victim")
    namespace.wait("victim")
    stranger(namespace, client)
    uid = namespace.get("victim")["metadata"]["uid"]
    before, log = others(client, namespace.name), audit()
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": "victim", "uid": uid, "controller": True}
    label = {MANAGED_BY_LABEL: FIELD_MANAGER}
    forged = [tenant.config_map(f"forged-{n}", ownerReferences=[owner], labels=label) for n in range(20)]
    tenant.create_all([*forged, tenant.config_map("victim", ownerReferences=[owner], labels=label)])
    tenant.client.create(tenant.rate("victim"))
    # Garbage collection removes what names an owner that is not in its namespace: before the pass, or after it.
    ended = ("TargetConflict", "Published")
    eventually(lambda: tenant.namespace.ready("victim")[1] in ended, "the tenant's own is served")
    namespace.change("victim", currency="GBP")
    namespace.wait("victim")
    assert not [write for write in log.writes() if f"/{tenant.namespace.name}/configmaps/" in write], (
        "they are none of the victim's"
    )
    after = others(client, namespace.name)
    assert {name for name in before if after[name] != before[name]} == {
        str(victims),
        str(Reference("v1", "ConfigMap", namespace.name, "victim")),
    }
