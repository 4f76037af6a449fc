"""Mistakes in the key `pod`: labels, node selectors and tolerations."""

import json

import pytest
from tests.infra.mistakes import CONTEXT, assert_told, mistakes

from exchangerates_infra.stack_config import StackConfig


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param('{"labels": {"team": 1}}', "pod.labels.team: '1': write a text", id="label"),
        pytest.param(
            '{"labels": {"app.kubernetes.io/name": "x"}}', "pod.labels.app.kubernetes.io/name: 'x': write an", id="own"
        ),
        pytest.param('{"labels": ["team"]}', "an object of labels", id="labels as a list"),
        pytest.param('{"nodeSelector": {"a b": "c"}}', "pod.nodeSelector: 'a b': write a key", id="label's key"),
        pytest.param('{"priorityClassName": "High!"}', "the name of a PriorityClass", id="priority class"),
    ],
)
def test_a_mistake_of_the_pod_names_its_key_and_what_to_write(value: str, told: str) -> None:
    """The API server would refuse the Deployment, after half of the stack was made."""
    assert_told({"pod": value}, told, "pod")


@pytest.mark.parametrize(
    ("resources", "path", "told"),
    [
        pytest.param(["cpu"], "", "an object such as", id="a list"),
        pytest.param({"limit": {"cpu": 1}}, ".limit", "did you mean limits?", id="limit"),
        pytest.param({"limits": "1"}, ".limits", "an object such as", id="a number"),
        pytest.param({"limits": {"cpus": 1}}, ".limits.cpus", "did you mean cpu?", id="cpus"),
        *(
            pytest.param({"limits": {"memory": given}}, ".limits.memory", "a quantity such as", id=f"{given!r}")
            for given in ("1 Gi", "512MB", "lots", "-1Gi", "", True, None)
        ),
        pytest.param({"limits": {"memory": "64Mi"}}, ".limits.memory", "they are 96Mi and 64Mi", id="a low limit"),
        pytest.param({"requests": {"memory": "1G"}}, ".requests.memory", "they are 1G and 384Mi", id="a high request"),
        pytest.param(
            {"requests": {"cpu": "1001m"}, "limits": {"cpu": 1}}, ".limits.cpu", "they are 1001m and 1", id="both"
        ),
    ],
)
def test_bad_resources_are_told(resources: object, path: str, told: str) -> None:
    """The API server would refuse the Deployment, after half of the stack was made."""
    (line,) = mistakes({"pod": json.dumps({"resources": resources})})
    assert line.startswith(f"pod.resources{path}: ")
    assert told in line


@pytest.mark.parametrize(
    ("toleration", "path", "told"),
    [
        pytest.param({"kee": "x", "operator": "Exists"}, "kee", "did you mean key?", id="key of the toleration"),
        pytest.param({"key": "x", "operator": "Is"}, "operator", "one of Equal, Exists", id="operator"),
        pytest.param({"key": "x", "operator": "exists"}, "operator", "one of Equal, Exists", id="operator's case"),
        pytest.param({"key": "x", "effect": "NoRun"}, "effect", "one of NoSchedule, Prefer", id="effect"),
        pytest.param({"effect": "NoExecute"}, "key", "operator: Exists alone", id="no key"),
        pytest.param({"key": "a b", "operator": "Exists"}, "key", "a key of at most 63", id="key"),
        pytest.param({"key": "x", "value": "a b"}, "value", "a text (in quotes)", id="value"),
        pytest.param({"key": "x", "value": True}, "value", "a text (in quotes)", id="value as a boolean"),
        pytest.param({"key": "x", "operator": "Exists", "value": "y"}, "value", "no value", id="value of Exists"),
        pytest.param({"key": "x", "tolerationSeconds": 5}, "tolerationSeconds", "effect: NoExecute", id="seconds"),
        pytest.param(
            {"key": "x", "effect": "NoExecute", "tolerationSeconds": "5"}, "tolerationSeconds", "a whole", id="as text"
        ),
    ],
)
def test_a_bad_toleration_is_told(toleration: dict[str, object], path: str, told: str) -> None:
    """The API server would refuse the Deployment, after half of the stack was made."""
    good = [{"operator": "Exists"}, {"key": "a.io/b", "value": "c", "effect": "NoExecute", "tolerationSeconds": 0}]
    empty = {"operator": "Exists", "key": "", "value": None, "effect": ""}
    parsed = StackConfig.parse(CONTEXT | {"pod": json.dumps({"tolerations": [*good, empty]})})
    assert parsed.operator.pod.tolerations == (*good, {"operator": "Exists"})
    (line,) = mistakes({"pod": json.dumps({"tolerations": [*good, toleration]})})
    assert line.startswith(f"pod.tolerations[2].{path}: ")
    assert told in line
