"""An operator as tutorials teach it, to compare with: synchronous handlers, and a call per object to the rate provider.

What it needs of the API server and of the provider comes by the environment. It has `requests` in place of Kubernetes'
own client: Kopf would load that into the other contender too, where it is installed.
"""

import os
from typing import Any

import kopf
import requests
from tests.benchmarks.access import Access, config_maps

from exchangerates.api import GROUP, PLURAL, VERSION


def config_map(name: str, currency: str) -> dict[str, Any]:
    """Give the ConfigMap with the rate of this moment, owned by the handled object."""
    answer = requests.get(os.environ["BENCHMARK_RATES"], params={"base": "EUR", "providers": "ECB"}, timeout=30)
    (row,) = [row for row in answer.json() if row["quote"] == currency]
    body: dict[str, Any] = {"metadata": {"name": name}, "data": {"rate": str(row["rate"])}}
    kopf.adopt(body)
    return body


def write(method: str, path: str, body: dict[str, Any], kind: str) -> None:
    """Write to the API server."""
    access = Access(*os.environ["BENCHMARK_ACCESS"].split("|"))
    requests.request(
        method,
        access.server + path,
        json=body,
        headers={"Content-Type": kind},
        verify=access.authority,
        cert=(access.certificate, access.key),
        timeout=30,
    ).raise_for_status()


@kopf.on.create(GROUP, VERSION, PLURAL)
def create(*, name: str, namespace: str | None, spec: kopf.Spec, **_: Any) -> None:  # noqa: ANN401 - Kopf's
    """Make the ConfigMap."""
    write("POST", config_maps(str(namespace)), config_map(name, spec["currency"]), "application/json")


@kopf.on.update(GROUP, VERSION, PLURAL)
def update(*, name: str, namespace: str | None, spec: kopf.Spec, **_: Any) -> None:  # noqa: ANN401 - Kopf's
    """Change the ConfigMap."""
    path = f"{config_maps(str(namespace))}/{name}"
    write("PATCH", path, {"data": config_map(name, spec["currency"])["data"]}, "application/merge-patch+json")


@kopf.on.delete(GROUP, VERSION, PLURAL)
def delete(**_: Any) -> None:  # noqa: ANN401 - Kopf's
    """Let it go: the ConfigMap follows its owner."""


if __name__ == "__main__":
    kopf.configure()
    kopf.run(standalone=True, clusterwide=True)
