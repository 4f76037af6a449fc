"""Somebody who may write ExchangeRates (and, where it says so, ConfigMaps) in one namespace and nothing else.

Whatever they do there: others' objects are served as soon as ever, nothing that is not theirs changes, and the rate
providers are called no more often. `HOSTILE_OBJECTS=5000 uv run pytest -n0 -s tests/cluster/test_hostile_tenant.py`
does it with more objects, and prints what it measured.
"""

import contextlib
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.audit import Audit
from tests.cluster.operator_process import StartOperator
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import (
    API_VERSION,
    APPROVE_ANNOTATION,
    FIELD_MANAGER,
    GROUP,
    KIND,
    MANAGED_BY_LABEL,
    PLURAL,
    REFRESH_ANNOTATION,
)
from localcluster.client import Client, Reference
from localcluster.control_plane import ControlPlane
from localcluster.errors import ApiError, LocalClusterError
from localcluster.rateserver import RateServer

OBJECTS = int(os.environ.get("HOSTILE_OBJECTS", "500"))
HANDS = 8
"""How many requests of the tenant are under way at once."""
CALM = {"EXCHANGERATES_MIN_FETCH_INTERVALS": "frankfurter=1h,ecb=1h"}
NAME = "a-hostile-tenant"
"""Lists are in alphabetical order: theirs come first."""
SERVED_WITHIN_S = 15.0
"""A victim's object; alone it takes a tenth of a second."""
WAIT_S = 30.0 + OBJECTS / 20


class Tenant:
    """What the tenant does, with their own account's rights."""

    def __init__(self, client: Client, namespace: Namespace) -> None:
        self.client, self.namespace = client, namespace

    def rate(self, name: str, /, metadata: dict[str, Any] | None = None, **spec: object) -> dict[str, Any]:
        """Give an ExchangeRate."""
        about = {"name": name, "namespace": self.namespace.name, **(metadata or {})}
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": about, "spec": {"currency": "USD", **spec}}

    def config_map(self, name: str, /, **metadata: object) -> dict[str, Any]:
        """Give a ConfigMap."""
        about = {"name": name, "namespace": self.namespace.name, **metadata}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": {"rate": "6.66", "base": "EUR"}}

    def create_all(self, bodies: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> None:
        """Create objects, as fast as that goes."""
        with ThreadPoolExecutor(HANDS) as hands:
            list(hands.map(self.client.create, bodies))

    def many(self) -> Iterator[dict[str, Any]]:
        """Give thousands of objects with the shortest interval."""
        return (self.rate(f"many-{number:05}", refreshInterval="1m") for number in range(OBJECTS))


@pytest.fixture
def tenant(namespace: Namespace, client: Client, control_plane: ControlPlane, tmp_path: Path) -> Iterator[Tenant]:
    """The tenant, with the stack's role for those who edit, in one namespace; `namespace` is the victims'."""
    name = f"{NAME}-{namespace.name}"
    assert name < namespace.name
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    of_theirs = {"namespace": name, "name": "tenant"}
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]
    rules = [
        {"apiGroups": [GROUP], "resources": [PLURAL], "verbs": verbs},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs},
    ]
    rbac = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", **of_theirs}
    client.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": of_theirs})
    client.create({"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": of_theirs, "rules": rules})
    role = {"apiGroup": rbac, "kind": "Role", "name": "tenant"}
    binding = {"metadata": of_theirs, "roleRef": role, "subjects": [subject]}
    client.create({"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", **binding})
    kubeconfig = control_plane.service_account_kubeconfig(name, "tenant", tmp_path / "tenant")
    with Client(kubeconfig) as theirs:
        with pytest.raises(ApiError, match="forbidden"):
            theirs.items("v1", "ConfigMap", namespace.name)
        yield Tenant(theirs, Namespace(client, name))
    client.request("DELETE", f"/apis/{API_VERSION}/namespaces/{name}/{PLURAL}")
    eventually(lambda: not client.items(API_VERSION, KIND, name), "the tenant's objects are gone", WAIT_S)
    client.delete(Reference("v1", "Namespace", "", name))


def others(client: Client, victims: str) -> dict[str, str]:
    """Give every ConfigMap and ExchangeRate of other namespaces, byte for byte, resource versions included.

    Those of earlier tests are going: of theirs only the victims' counts.
    """
    found = {}
    for api_version, kind in (("v1", "ConfigMap"), (API_VERSION, KIND)):
        for item in client.items(api_version, kind):
            if (name := item["metadata"]["namespace"]) == victims or not name.startswith(("t-", NAME)):
                found[str(Reference.of(item))] = json.dumps(item, sort_keys=True)
    return found


def stranger(namespace: Namespace, client: Client, name: str = "strangers") -> None:
    """Put somebody's ConfigMap into a namespace."""
    metadata = {"name": name, "namespace": namespace.name, "labels": {MANAGED_BY_LABEL: FIELD_MANAGER}}
    client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"theirs": "x"}})


def test_a_backlog_is_the_tenants_own(
    start_operator: StartOperator,
    namespace: Namespace,
    tenant: Tenant,
    client: Client,
    audit: Callable[[], Audit],
    rates: RateServer,
) -> None:
    """An operator that finds thousands of new objects at its start serves another namespace's one among the first."""
    tenant.create_all(tenant.many())
    namespace.rate()
    log = audit()
    start_operator(**CALM)
    namespace.wait(within_s=WAIT_S)
    last = f"many-{OBJECTS - 1:05}"
    tenant.namespace.wait(last, within_s=WAIT_S)
    made = [write for write in log.writes() if write.startswith("create ") and "/configmaps" in write]
    before = next(place for place, write in enumerate(made) if f"/{namespace.name}/" in write)
    assert before <= 60, f"{before} of the tenant's were made before the victim's"
    assert rates.calls == {"frankfurter": 1}
    assert client.items(API_VERSION, KIND, namespace.name)


def test_others_keep_their_latency_and_what_is_theirs(
    start_operator: StartOperator, namespace: Namespace, tenant: Tenant, client: Client, rates: RateServer
) -> None:
    """While thousands are created, others flip every ten milliseconds, come and go, and wish for what is newer."""
    operator = start_operator(**CALM)
    stranger(namespace, client)
    namespace.rate("calm")
    namespace.wait("calm")
    before = others(client, namespace.name)
    quiet = [latency_s(namespace, f"quiet-{number}") for number in range(5)]
    ended, errors = threading.Event(), list[str]()
    attacks = [create_many, flip, come_and_go, wish, grow]
    threads = [threading.Thread(target=until, args=(ended, errors, attack, tenant)) for attack in attacks]
    for thread in threads:
        thread.start()
    attacked: list[float] = []
    try:
        began = time.monotonic()
        for number in itertools.count():
            attacked.append(latency_s(namespace, f"attacked-{number}"))
            if time.monotonic() - began > 3.0 and not threads[0].is_alive():
                break
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert errors == []
    print(f"{OBJECTS} objects; a victim's is Ready after, in ms: quiet {told(quiet)}; attacked {told(attacked)}")  # noqa: T201 - for who measures
    assert max(attacked) < SERVED_WITHIN_S
    assert rates.calls == {"frankfurter": 1}
    after = others(client, namespace.name)
    assert {name: after.get(name) for name in before} == before
    assert "Traceback" not in operator.process.log.read_text()
    assert operator.get("/healthz").startswith("ok")


def latency_s(namespace: Namespace, name: str) -> float:
    """Create a victim's object, and give the seconds until it is Ready."""
    began = time.monotonic()
    namespace.rate(name, currency="GBP")
    namespace.wait(name, within_s=2 * SERVED_WITHIN_S)
    return time.monotonic() - began


def told(times: list[float]) -> str:
    """Give the median and the most of some times, in milliseconds."""
    ordered = sorted(times)
    return f"{ordered[len(ordered) // 2] * 1000:.0f} (at most {ordered[-1] * 1000:.0f}, {len(times)} times)"


Attack = Callable[[Tenant, Iterator[int]], None]


def until(ended: threading.Event, errors: list[str], attack: Attack, tenant: Tenant) -> None:
    """Attack until told to end; what the API server has enough of is no error of the product."""

    def steps() -> Iterator[int]:
        for number in itertools.count():
            if ended.wait(0.01):
                return
            yield number

    try:
        attack(tenant, steps())
    except LocalClusterError:
        return
    except Exception as error:  # noqa: BLE001 - it is told by the test
        errors.append(f"{attack.__name__}: {error!r}")


def create_many(tenant: Tenant, steps: Iterator[int]) -> None:
    """Create thousands of objects."""
    next(steps)
    tenant.create_all(tenant.many())


def flip(tenant: Tenant, steps: Iterator[int]) -> None:
    """Change what some objects ask for, again and again."""
    names = [f"flipping-{number}" for number in range(10)]
    tenant.create_all([tenant.rate(name) for name in names])
    for number in steps:
        spec = {"currency": ("USD", "GBP", "JPY")[number % 3], "target": {"name": f"flipping-to-{number % 7}"}}
        tenant.client.patch(
            Reference(API_VERSION, KIND, tenant.namespace.name, names[number % len(names)]), {"spec": spec}
        )


def come_and_go(tenant: Tenant, steps: Iterator[int]) -> None:
    """Create an object and delete it at once."""
    for number in steps:
        made = Reference.of(tenant.client.create(tenant.rate(f"passing-{number}")))
        tenant.client.delete(made)


def wish(tenant: Tenant, steps: Iterator[int]) -> None:
    """Wish for a newer rate, again and again."""
    reference = Reference.of(tenant.client.create(tenant.rate("wishing", refreshInterval="1m")))
    for number in steps:
        annotations = {REFRESH_ANNOTATION: str(number), APPROVE_ANNOTATION: str(number)}
        tenant.client.patch(reference, {"metadata": {"annotations": annotations}})


def grow(tenant: Tenant, steps: Iterator[int]) -> None:
    """Write annotations as large as the API server takes them."""
    reference = Reference.of(tenant.client.create(tenant.rate("growing")))
    for number in itertools.islice(steps, 50):
        annotations = {APPROVE_ANNOTATION: f"{number}," * 40_000}
        with contextlib.suppress(ApiError):  # some are too large
            tenant.client.patch(reference, {"metadata": {"annotations": annotations}})


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
    "a label beyond it": ("label", {}, {"target": {"labels": {"a" * 64: "x"}}}, "TargetRefused"),
    "unicode in a label": ("label-unicode", {}, {"target": {"labels": {UNICODE: UNICODE}}}, "TargetRefused"),
    "unicode in annotations": (
        "annotations-unicode",
        {"annotations": {"example.com/a": UNICODE, REFRESH_ANNOTATION: UNICODE * 99, APPROVE_ANNOTATION: UNICODE}},
        {"target": {"annotations": {"example.com/a": UNICODE}}},
        "Published",
    ),
    "an annotation's key in unicode": ("key", {}, {"target": {"annotations": {UNICODE: "x"}}}, "TargetRefused"),
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


def reason_of(client: Client, reference: Reference) -> str:
    """Give the reason of Ready; empty before there is one."""
    conditions = ((client.get(reference) or {}).get("status") or {}).get("conditions") or []
    return next((str(found["reason"]) for found in conditions if found["type"] == "Ready"), "")


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
    tenant.namespace.wait("victim", "TargetConflict")
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


def test_a_name_that_many_want_is_fought_over_by_nobody(
    start_operator: StartOperator, namespace: Namespace, tenant: Tenant, client: Client, audit: Callable[[], Audit]
) -> None:
    """Sixty wait for one name while another of the tenant's ConfigMaps comes and goes: that wakes none."""
    start_operator(**CALM)
    tenant.client.create(tenant.config_map("wanted"))
    tenant.create_all([tenant.rate(f"wants-{number:03}", target={"name": "wanted"}) for number in range(60)])
    tenant.namespace.wait("wants-059", "TargetConflict")
    eventually(
        lambda: all(
            reason_of(client, Reference.of(item)) == "TargetConflict"
            for item in client.items(API_VERSION, KIND, tenant.namespace.name)
        ),
        "all of them have found that it is taken",
    )
    log = audit()
    for number in range(10):
        passing = tenant.config_map("passing", labels={MANAGED_BY_LABEL: FIELD_MANAGER})
        made = Reference.of(tenant.client.create({**passing, "data": {"number": str(number)}}))
        tenant.client.delete(made)
    namespace.rate()
    namespace.wait()
    asked = [entry for entry in log.requests() if "wanted" in entry["requestURI"]]
    assert len(asked) < 120, "each asks again only after its own pause"


def test_the_largest_objects_do_not_take_its_memory(
    start_operator: StartOperator, namespace: Namespace, tenant: Tenant
) -> None:
    """They are listed at a start, in pages that have room; the Pod has 384 MiB."""
    ours = {MANAGED_BY_LABEL: FIELD_MANAGER}
    large = {"data": {"large": "x" * 1_000_000}}
    tenant.create_all({**tenant.config_map(f"large-{number}", labels=ours), **large} for number in range(100))
    noted = {"annotations": {"example.com/note": "x" * 250_000}}
    tenant.create_all([tenant.rate(f"noted-{number}", metadata=noted) for number in range(60)])
    namespace.rate()
    operator = start_operator(**CALM)
    namespace.wait()
    for number in range(60):
        tenant.namespace.wait(f"noted-{number}")
    status = Path(f"/proc/{operator.process.pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    assert int(peak.split()[1]) < 250 * 1024, peak
    for number in range(100):
        tenant.client.delete(Reference("v1", "ConfigMap", tenant.namespace.name, f"large-{number}"))
