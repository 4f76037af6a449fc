"""What a hostile tenant does again and again, each in a thread of its own."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator

from tests.cluster.tenant import Tenant

from exchangerates.api import API_VERSION, APPROVE_ANNOTATION, KIND, REFRESH_ANNOTATION
from localcluster.client import Reference
from localcluster.errors import ApiError, LocalClusterError

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
