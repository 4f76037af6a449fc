"""The stack's own resources on a real node: a Deployment that becomes Available, with rates that Pods can read."""

import json
import time
from pathlib import Path
from typing import Any

from tests.node.conftest import LEAST_INTERVAL_S
from tests.node.images import Images
from tests.node.node import Node, condition, eventually, pod_reference
from tests.node.stack import Stack
from tests.node.user import Rates

from exchangerates_infra.project import OPERATOR
from localcluster.rateserver import RateServer

ACCOUNT = f"system:serviceaccount:{OPERATOR}:{OPERATOR}"


def test_the_deployment_becomes_available(stack: Stack, operator_image: str) -> None:
    """Its Pod runs the built image by digest, is Ready by its probes, and was never restarted."""
    pod = stack.wait_available()
    (status,) = pod["status"]["containerStatuses"]
    assert condition(stack.deployment(), "Available")["status"] == "True"
    assert condition(pod, "Ready")["status"] == "True"
    assert (status["ready"], status["started"], status["restartCount"]) == (True, True, 0)
    assert status["imageID"] == operator_image
    assert pod["status"]["podIP"].startswith("198.51.100.")


def test_the_process_is_confined(stack: Stack, inside: Node) -> None:
    """What the kernel says of it: its user, no capability, no new privileges, seccomp, read-only files, its limit."""
    pod = stack.wait_available()
    (pid,) = inside.pids(pod)
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    assert status["Uid"] == ["65532"] * 4
    assert status["Gid"] == ["65532"] * 4
    assert status["CapEff"] == status["CapBnd"] == ["0000000000000000"]
    assert (status["NoNewPrivs"], status["Seccomp"]) == (["1"], ["2"])
    mounts = [line.split() for line in Path(f"/proc/{pid}/mounts").read_text().splitlines()]
    (root,) = [options for _, where, _, options, *_ in mounts if where == "/"]
    assert root.split(",")[0] == "ro"
    limit = pod["spec"]["containers"][0]["resources"]["limits"]["memory"]
    assert limit.endswith("Mi")
    assert inside.memory_limit(pod) == int(limit.removesuffix("Mi")) * 2**20


def test_the_operator_works_under_its_own_account(user: Rates, inside: Node) -> None:
    """Its writes carry its ServiceAccount, from the token in the Pod, and the Pod's address; none is refused."""
    assert user.data("exchange-rate-usd")["rate"]
    entries = [json.loads(line) for line in (inside.directory / "control-plane/audit.log").read_text().splitlines()]
    own = [entry for entry in entries if entry["user"]["username"] == ACCOUNT]
    made = {entry["objectRef"]["name"] for entry in own if entry["verb"] in {"create", "patch"}}
    assert {"exchange-rate-usd", "exchange-rate-gbp", "exchange-rate-jpy", "exchange-rate-usd-jpy"} <= made
    assert all(address.startswith("198.51.100.") for entry in own for address in entry["sourceIPs"])
    assert [entry["responseStatus"] for entry in own if entry["responseStatus"]["code"] == 403] == []


def test_the_log_is_json_and_says_what_was_published(stack: Stack, inside: Node) -> None:
    """Every line of `kubectl logs` is one JSON object."""
    name = stack.wait_available()["metadata"]["name"]
    lines = [json.loads(line) for line in inside.log(OPERATOR, name).splitlines()]
    assert any("health and metrics are served on" in line["message"] for line in lines)
    assert all({"message", "severity"} <= line.keys() for line in lines)


def consumer(image: str) -> dict[str, Any]:
    """Give a Pod that tells its environment once and its volume every second."""
    script = 'echo "environment $rate"; while :; do echo "volume $(cat /rates/rate)"; sleep 1; done'
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "consumer", "namespace": "default"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "containers": [
                {
                    "name": "consumer",
                    "image": image,
                    "command": ["sh", "-c", script],
                    "envFrom": [{"configMapRef": {"name": "exchange-rate-usd"}}],
                    "volumeMounts": [{"name": "rates", "mountPath": "/rates"}],
                }
            ],
            "volumes": [{"name": "rates", "configMap": {"name": "exchange-rate-usd"}}],
        },
    }


def publish(user: Rates, rates: RateServer, rate: str) -> None:
    """Have another rate quoted and published."""
    rates.set_rate("USD", rate)
    time.sleep(2 * LEAST_INTERVAL_S)  # who asks sooner after a fetch is shown the table that is there
    user.refresh("exchange-rate-usd")
    eventually(lambda: user.data("exchange-rate-usd")["rate"] == rate, f"{rate} is published")


def test_a_pod_reads_the_rate_and_sees_it_change(user: Rates, inside: Node, images: Images, rates: RateServer) -> None:
    """From its environment and from a mounted volume; the volume follows the rate without a restart."""
    client = inside.client
    before = user.data("exchange-rate-usd")["rate"]
    pod = client.create(consumer(images.base))
    try:
        eventually(lambda: f"volume {before}" in inside.log("default", "consumer"), "the Pod tells the rate")
        assert f"environment {before}\n" in inside.log("default", "consumer")
        publish(user, rates, "1.2345")
        eventually(lambda: "volume 1.2345" in inside.log("default", "consumer"), "the volume has the new rate")
        status = (client.get(pod_reference(pod)) or {})["status"]["containerStatuses"][0]
        assert status["restartCount"] == 0
    finally:
        client.delete(pod_reference(pod))
        publish(user, rates, before)
