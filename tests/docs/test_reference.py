"""The reference page, against the sources that it is made from."""

import re

import yaml
from tests.docs import reference, sources

from exchangerates.api import API_KEYS, PROVIDERS, Env
from exchangerates.metrics import Gauges, Metrics
from exchangerates.settings import Settings
from exchangerates_infra.project import ROOT


def test_the_reference_is_up_to_date() -> None:
    """Whoever changes a source writes the page anew."""
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), f"run `{reference.COMMAND}`"


def test_everything_on_the_reference_says_what_it_is() -> None:
    """No field, key, setting, reason or metric is left without a text."""
    tables = [part.splitlines() for part in reference.page().split("\n\n") if part.startswith("| ")]
    assert len(tables) > 10
    for head, _, *rows in tables:
        column = 1 if head.startswith("| reason ") else -1
        for row in rows:
            text = re.split(r" ?(?<!\\)\| ?", row)[1:-1][column]
            assert len(text) >= len("A text.") or row.startswith("| Age |"), row


def test_the_defaults_on_the_reference_are_those_of_the_operator() -> None:
    """Setting each variable to its documented default changes nothing."""
    documented = {Env[name].value: text for name, text in sources.setting_defaults().items() if text}
    assert len(documented) > 5
    assert not documented.keys() & {str(variable) for variable in API_KEYS.values()}
    assert Settings.from_environment(documented) == Settings.from_environment({})


def test_the_metrics_on_the_reference_are_those_that_are_scraped() -> None:
    """Prometheus gets each of them under the documented name, and no other."""
    served = Metrics(["ecb"]).exposition(Gauges(dict, lambda: 0, lambda: 0.0)).decode()
    names = {line.split()[2] for line in served.splitlines() if line.startswith("# TYPE exchangerates_")}
    assert {metric.name for metric in sources.all_metrics()} == names


def test_the_objects_on_the_reference_are_the_stacks() -> None:
    """Every key of the stack that is an object with fixed keys has a table of them."""
    keys = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    objects = {key for key, entry in keys.items() if entry["type"] == "object"}
    with_keys = {key for key in objects if not set(sources.nested_keys(key)) & set(PROVIDERS)}
    assert len(with_keys) > 3
    page = reference.page()
    assert [key for key in with_keys if f"### `{key}`" not in page or not sources.nested_keys(key)] == []
