"""What a valid spec is, and what a user is told otherwise."""

import pytest
import yaml

from exchangerates import api, crd
from exchangerates.errors import InvalidSpec
from exchangerates.providers import PROVIDERS
from exchangerates.spec import Defaults, parse_duration, parse_spec

DEFAULTS = Defaults(base="EUR", providers=("frankfurter", "ecb"), refresh_interval_s=3600.0, max_age_s=168 * 3600.0)


def test_what_the_tutorial_wrote_is_valid() -> None:
    """A currency alone: everything else comes from the stack."""
    spec = parse_spec("exchange-rate-usd", {"currency": "USD"}, DEFAULTS)
    assert spec.currencies == ("USD",)
    assert spec.base == "EUR"
    assert spec.provider is None
    assert (spec.refresh_interval_s, spec.max_age_s) == (3600.0, 604800.0)
    assert spec.target.name == "exchange-rate-usd"


def test_every_field_is_taken_over() -> None:
    """A spec that names everything gets nothing from the defaults."""
    raw = {
        "currency": "JPY",
        "base": "USD",
        "provider": "ecb",
        "refreshInterval": "1h30m",
        "maxAge": "36h",
        "target": {"name": "yen"},
    }
    spec = parse_spec("x", raw, DEFAULTS)
    assert (spec.currencies, spec.base, spec.provider, spec.target.name) == (("JPY",), "USD", "ecb", "yen")
    assert (spec.refresh_interval_s, spec.max_age_s) == (5400.0, 129600.0)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        pytest.param({}, "currency", id="no currency"),
        pytest.param({"currency": "usd"}, "currency", id="small letters"),
        pytest.param({"currency": "USDX"}, "currency", id="four letters"),
        pytest.param({"currency": "USD\n"}, "currency", id="a line end"),
        pytest.param({"currency": 5}, "currency", id="a number"),
        pytest.param({"currency": "USD", "base": ""}, "base", id="an empty base"),
        pytest.param({"currency": "USD", "provider": "nobody"}, "provider", id="an unknown provider"),
        pytest.param({"currency": "USD", "refreshInterval": "1s"}, "refreshInterval", id="too short"),
        pytest.param({"currency": "USD", "refreshInterval": "721h"}, "refreshInterval", id="too long"),
        pytest.param({"currency": "USD", "maxAge": "7d"}, "maxAge", id="days"),
        pytest.param({"currency": "USD", "maxAge": 5}, "maxAge", id="a number as a duration"),
        pytest.param({"currency": "USD", "target": {"name": "Not_A_Name"}}, "target.name", id="a bad name"),
        pytest.param({"currency": "USD", "target": "x y"}, "target", id="no target object"),
        pytest.param({"currency": "USD", "target": ""}, "target", id="an empty text as the target"),
        pytest.param({"currency": "USD", "target": {"labels": []}}, "target.labels", id="a list as the labels"),
        pytest.param({"currency": "USD", "target": {"key": "a b"}}, "target.key", id="a bad key"),
        pytest.param({"currency": "USD", "target": {"key": "date"}}, "target.key", id="a taken key"),
        pytest.param({"currency": "USD", "target": {"labels": {"a": 1}}}, "target.labels", id="a number as a label"),
        pytest.param(
            {"currency": "USD", "target": {"labels": {"app.kubernetes.io/managed-by": "me"}}},
            "target.labels",
            id="the operator's label",
        ),
        *(
            pytest.param({"currency": "USD", "target": {"labels": {key: "x"}}}, "target.labels", id=f"the label {key}")
            for key in ("a team", "a/b/c", "A.com/b", "/b", "a.com/", "", "-a", "a" * 64, "é", "a\n")
        ),
        *(
            pytest.param(
                {"currency": "USD", "target": {"labels": {"a": bad}}}, "target.labels", id=f"the label's {bad}"
            )
            for bad in ("a team", "-a", "a.", "a" * 64, "é", "a\n")
        ),
        *(
            pytest.param({"currency": "USD", "target": {"annotations": {key: "x"}}}, "target.annotations", id=f"@{key}")
            for key in ("a team", "a/b/c", "", "a" * 64, "é")
        ),
        pytest.param({"currency": "USD", "currencies": ["GBP"]}, "currencies", id="both"),
        pytest.param({"currencies": []}, "currencies", id="an empty set"),
        pytest.param({"currencies": ["USD", "USD"]}, "currencies", id="one twice"),
        pytest.param({"currencies": "USD"}, "currencies", id="no list"),
        pytest.param({"currencies": ["USD", "usd"]}, "currencies", id="small letters in a set"),
        pytest.param({"currencies": ["USD"], "target": {"key": "x"}}, "target.key", id="a key for a set"),
        pytest.param({"currency": "USD", "date": "2024-02-30"}, "date", id="a day that is not there"),
        pytest.param({"currency": "USD", "date": "1998-12-31"}, "date", id="a day before all"),
        pytest.param({"currency": "USD", "date": "20240628"}, "date", id="a day in another form"),
        pytest.param({"currency": "USD", "date": "2024-06-28", "maxAge": "36h"}, "maxAge", id="an age for a day"),
        pytest.param({"currency": "USD", "target": {"immutable": True}}, "target.immutable", id="immutable for ever"),
        pytest.param({"currency": "USD", "onStale": "Delete"}, "onStale", id="an unknown way to be stale"),
        *(
            pytest.param({"currency": "USD", "minChangePercent": bad}, "minChangePercent", id=f"{bad!r} percent")
            for bad in ("0", "0.0", "-1", "1e1", "1001", "1,5", "", "NaN", " 1", 1)
        ),
        pytest.param({"currency": "USD", "maxChangePercent": "five"}, "maxChangePercent", id="a word for a number"),
        pytest.param(
            {"currency": "USD", "minChangePercent": "5", "maxChangePercent": "5"}, "minChangePercent", id="min is max"
        ),
        pytest.param({"currency": "USD", "suspend": "yes"}, "suspend", id="a word for true"),
    ],
)
def test_a_mistake_names_its_field_and_what_to_write(raw: dict[str, object], field: str) -> None:
    """Stored objects may be older than the CRD's validation."""
    with pytest.raises(InvalidSpec, match=rf"^spec\.{field}: .*") as caught:
        parse_spec("x", raw, DEFAULTS)
    assert caught.value.field == field
    assert "write" in str(caught.value) or "must be" in str(caught.value)


def test_labels_and_annotations_that_kubernetes_takes_are_taken() -> None:
    """A label's value may be empty, an annotation's is any text, and its key may have capital letters everywhere."""
    labels = {"a": "", "Team_A.1": "b.C-d_1", "example.com/a": "x", "n" * 63: "n" * 63, f"{'n' * 63}.com/a": "x"}
    annotations = {"Example.com/Note": "Anything at all: even {this}.", "a": "é\n"}
    spec = parse_spec("x", {"currency": "USD", "target": {"labels": labels, "annotations": annotations}}, DEFAULTS)
    assert (spec.target.labels, spec.target.annotations) == (labels, annotations)


@pytest.mark.parametrize("labels", [{"a b" * 4000: "x"}, {"a": "a b" * 4000}], ids=["key", "value"])
def test_an_enormous_mistake_is_told_in_short(labels: dict[str, str]) -> None:
    """The message goes into a status."""
    with pytest.raises(InvalidSpec) as caught:
        parse_spec("x", {"currency": "USD", "target": {"labels": labels}}, DEFAULTS)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("30m", 1800.0), ("1h30m", 5400.0), ("168h", 604800.0)])
def test_durations_are_gos(text: str, seconds: float) -> None:
    """In whole hours, minutes and seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "1.5h", "7d", "-1h", "1h ", "h", "1H", "9" * 20 + "h"])
def test_what_is_no_duration_says_what_to_write(text: str) -> None:
    """With examples, and without days."""
    with pytest.raises(ValueError, match="such as 90s, 30m, 1h or 168h"):
        parse_duration(text)


def test_providers_are_the_same_everywhere() -> None:
    """The names in the API, the registry and the CRD's enum."""
    schema = crd.definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    enum = schema["properties"]["spec"]["properties"]["provider"]["enum"]
    assert list(api.PROVIDERS) == list(PROVIDERS) == enum
    without = tuple(name for name, provider in PROVIDERS.items() if provider.fetch_days is None)
    assert without == api.PROVIDERS_WITHOUT_HISTORY


def test_the_crd_says_what_the_api_module_says() -> None:
    """Group, version, kind and names are written down twice."""
    body = crd.definition()
    version = body["spec"]["versions"][0]
    assert body["metadata"]["name"] == api.CRD_NAME
    assert (body["spec"]["group"], version["name"]) == (api.GROUP, api.VERSION)
    assert (body["spec"]["names"]["kind"], body["spec"]["names"]["plural"]) == (api.KIND, api.PLURAL)


def test_every_field_of_the_crd_is_described_and_none_has_a_default() -> None:
    """`kubectl explain` describes every field; a default would freeze one stack's into the objects."""

    def walk(schema: dict[str, object], path: str) -> None:
        assert schema.get("description") or path.endswith("[]"), path
        assert "default" not in schema, path
        properties = schema.get("properties", {})
        assert isinstance(properties, dict)
        for name, child in properties.items():
            walk(child, f"{path}.{name}")
        items = schema.get("items")
        if isinstance(items, dict):
            walk(items, f"{path}[]")

    walk(crd.definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"], "")
    assert yaml.safe_dump(crd.definition())
