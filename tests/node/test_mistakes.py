"""What users get wrong, and where they see it: a wrong image, a missing Secret, a refused API key."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.node.node import condition, eventually
from tests.node.stack import Stack
from tests.node.user import Rates

from exchangerates_infra.project import OPERATOR
from localcluster.client import Reference
from localcluster.rateserver import RateServer

SECRET = Reference("v1", "Secret", OPERATOR, OPERATOR)
WITH_KEY = {"providers": ["exchangeratesapi"]}


@pytest.fixture
def change(user: Rates, stack: Stack) -> Iterator[Callable[..., None]]:
    """Apply the stack with a mistake. Corrected, it comes back, and what was published is as it was."""
    before = user.versions()
    yield stack.apply
    stack.apply()
    stack.wait_available()
    assert user.versions() == before


def waiting(stack: Stack) -> tuple[str, str]:
    """Give why the Pod's container does not run, as `kubectl get pods` and `describe` tell it; empty where it does."""
    for pod in stack.pods():
        for status in pod["status"].get("containerStatuses", []):
            state: dict[str, Any] = status["state"].get("waiting", {})
            return str(state.get("reason", "")), str(state.get("message", ""))
    return "", ""


def test_an_image_that_is_not_there(change: Callable[..., None], stack: Stack, operator_image: str) -> None:
    """The Pod names the image and says that it cannot be pulled; the Deployment is not available."""
    wrong = f"{operator_image.partition('@')[0]}@sha256:{64 * '0'}"
    change(image={"ref": wrong})
    eventually(
        lambda: waiting(stack)[0] in {"ErrImagePull", "ImagePullBackOff"}, "it says so", lambda: str(stack.pods())
    )
    assert wrong in waiting(stack)[1]
    assert condition(stack.deployment(), "Available")["status"] == "False"


def test_a_secret_that_is_not_there(change: Callable[..., None], stack: Stack, rates: RateServer) -> None:
    """Somebody deleted it: the Pod names it, and starts by itself when it is back."""
    change(**WITH_KEY, exchangeratesapiKey=rates.key)
    stack.wait_available()
    body = stack.client.get(SECRET)
    assert body is not None
    stack.client.delete(SECRET)
    stack.client.delete(Reference("v1", "Pod", OPERATOR, stack.pods()[0]["metadata"]["name"]))
    eventually(lambda: waiting(stack)[0] == "CreateContainerConfigError", "it says so", lambda: str(stack.pods()))
    assert f'secret "{SECRET.name}" not found' in waiting(stack)[1]
    metadata = {"name": SECRET.name, "namespace": SECRET.namespace}
    stack.client.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": body["data"]})
    stack.wait_available()


def test_a_refused_api_key(change: Callable[..., None], stack: Stack, user: Rates) -> None:
    """The ExchangeRate says that its rate provider refused, and the key is nowhere to be read."""
    key = "planted-and-refused"
    change(**WITH_KEY, exchangeratesapiKey=key)
    pod = stack.wait_available()
    try:
        user.create("refused", currency="SEK")
        user.wait("refused", "ProviderRefused")
        told = user.ready("refused")
        assert told["status"] == "False"
        assert "exchangeratesapi" in told["message"]
        assert key not in told["message"]
        assert key not in stack.log(pod)
        assert user.data("refused") == {}
    finally:
        user.delete("refused")
