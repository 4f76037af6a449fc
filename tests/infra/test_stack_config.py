"""The stack's config: its keys, its defaults, and what is taken as it is."""

import json

import pytest
import yaml
from tests.infra.conftest import Program
from tests.infra.mistakes import CONTEXT

from exchangerates_infra.config_reader import StackConfigError
from exchangerates_infra.project import ROOT
from exchangerates_infra.stack_config import KEYS, StackConfig


def test_a_context_is_enough() -> None:
    """Everything else has a default."""
    config = StackConfig.parse(CONTEXT)
    assert config.kube_context == "kind-kind"
    assert config.kubeconfig is None
    assert config.operator.namespace == "exchange-rate-operator"
    assert config.operator.rates == ()


def test_the_projects_defaults_are_the_codes_defaults() -> None:
    """What the CLI fills in from Pulumi.yaml is what the component does without it."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    filled = {
        key: entry["default"] if isinstance(entry["default"], str) else json.dumps(entry["default"])
        for key, entry in declared.items()
    }
    assert StackConfig.parse(filled | CONTEXT) == StackConfig.parse(CONTEXT)


def test_every_key_is_declared_with_a_type_and_a_description() -> None:
    """`Pulumi.yaml` and the code know the same keys, and every one has a default: the CLI demands the others."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    assert set(declared) == KEYS
    for key, entry in declared.items():
        assert entry["type"] in {"string", "boolean", "array", "object"}, key
        assert len(entry["description"]) > 10, key
        assert "default" in entry, key


def test_no_context_is_a_mistake_rather_than_the_current_cluster() -> None:
    """The preview stops instead of touching whatever cluster happens to be current."""
    with pytest.raises(StackConfigError, match="kubeContext"):
        StackConfig.parse({})


@pytest.mark.parametrize("interval", ["0", "30s", "5m", "4m60s", "0h5m", "300000ms", "1m500ms"])
def test_a_scrape_interval_is_what_the_prometheus_operator_takes(interval: str) -> None:
    """It has more units than the operator's own durations."""
    given = StackConfig.parse(CONTEXT | {"monitoring": json.dumps({"enabled": True, "scrapeInterval": interval})})
    assert given.operator.monitoring.scrape_interval == interval


@pytest.mark.parametrize(
    "repository", ["docker.io/team/op", "r.example.com/op", "my.docker.io/op", "localhost:5000/op"]
)
def test_a_repository_is_taken_as_it_is(repository: str) -> None:
    """Only Docker Hub's own has other ways to be written."""
    assert StackConfig.parse(CONTEXT | {"image": json.dumps({"repository": repository})}).operator.image.repository == (
        repository
    )


def test_a_rate_outside_the_watched_namespaces_would_never_be_served() -> None:
    """It is refused before the cluster is touched."""
    with pytest.raises(StackConfigError, match="one of watchNamespaces: shop"):
        StackConfig.parse(CONTEXT | {"watchNamespaces": '["shop"]', "rates": '[{"currency": "USD"}]'})


def test_the_program_stops_before_it_registers_anything(program: Program) -> None:
    """A bad config is the same clear error when the whole program runs."""
    with pytest.raises(StackConfigError, match="baseCurrency: 'eur'"):
        program(baseCurrency="eur")
