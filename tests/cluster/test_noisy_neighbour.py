"""A tenant with thousands of objects, or restless or enormous ones: others' are served as soon as ever.

`HOSTILE_OBJECTS=5000 uv run pytest -n0 -s tests/cluster/test_noisy_neighbour.py` does it with more objects, and prints
what it measured.
"""

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cluster.attacks import come_and_go, flip, grow, until, wish
from tests.cluster.audit import Audit
from tests.cluster.operator_process import StartOperator
from tests.cluster.tenant import CALM, Tenant, others, reason_of, stranger
from tests.cluster.user import Namespace
from tests.cluster.waiting import eventually

from exchangerates.api import API_VERSION, FIELD_MANAGER, KIND, MANAGED_BY_LABEL
from localcluster.client import Client, Reference
from localcluster.rateserver import RateServer

OBJECTS = int(os.environ.get("HOSTILE_OBJECTS", "500"))
SERVED_WITHIN_S = 15.0
"""A victim's object; alone it takes a tenth of a second."""
WAIT_S = 30.0 + OBJECTS / 20


def test_a_backlog_is_the_tenants_own(
    start_operator: StartOperator,
    namespace: Namespace,
    tenant: Tenant,
    client: Client,
    audit: Callable[[], Audit],
    rates: RateServer,
) -> None:
    """An operator that finds thousands of new objects at its start serves another namespace's one among the first."""
    tenant.create_all(tenant.many(OBJECTS))
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


def create_many(tenant: Tenant, steps: Iterator[int]) -> None:
    """Create thousands of objects."""
    next(steps)
    tenant.create_all(tenant.many(OBJECTS))


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
