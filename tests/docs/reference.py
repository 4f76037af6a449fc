"""Writes docs/reference.md from the sources: `uv run python -m tests.docs.reference`.

Whatever stands there is said where it is defined: in the CRD, in `Pulumi.yaml`, in docstrings and in metrics' help.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from tests.docs import sources

from exchangerates import api
from exchangerates_infra import args as infra
from exchangerates_infra.component import ExchangeRateOperator
from exchangerates_infra.project import ROOT

PAGE: Final = ROOT / "docs/reference.md"
COMMAND: Final = "uv run python -m tests.docs.reference"
_OBJECTS: Final[Mapping[str, type]] = {
    "image": infra.ImageArgs,
    "crd": infra.CrdArgs,
    "pod": infra.PodArgs,
    "proxy": infra.EgressArgs,
    "networkPolicy": infra.NetworkPolicyArgs,
    "monitoring": infra.MonitoringArgs,
}
_OTHER_NAMES: Final = {
    "https": "https_proxy",
    "http": "http_proxy",
    "exceptions": "no_proxy",
    "priorityClassName": "priority_class",
}
_STACKS_OWN: Final = {
    ("crd", "adopt"): "Whether a CustomResourceDefinition that is there already is taken up; left out, as `retain`.",
    (
        "image",
        "sbom",
    ): "true for a list of the pushed image's contents by BuildKit's own generator, or the image of another.",
}
"""Keys that the component's arguments do not have, or not in this form."""


def page() -> str:
    """Give the page."""
    parts = [
        "# Reference",
        f"Made from the sources by `{COMMAND}`; a test fails where it is out of date.",
        *_kind(),
        *_reasons(),
        *_stack(),
        *_settings(),
        *_metrics(),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


def _kind() -> Iterator[str]:
    body = sources.definition()["spec"]
    (version,) = body["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    names = body["names"]
    short = ", ".join(f"`{name}`" for name in names["shortNames"])
    yield "## ExchangeRate"
    yield f"`apiVersion: {body['group']}/{version['name']}`, `kind: {names['kind']}`, in short {short}."
    yield f"{schema['description']} [What it holds](rates.md#where-a-rate-comes-from)."
    for part in ("spec", "status"):
        fields = schema["properties"][part]
        rules = {rule.get("fieldPath", ""): rule["message"] for rule in fields.get("x-kubernetes-validations", [])}
        own = f" It {rules['']}." if "" in rules else ""
        yield f"### {part}\n\n{fields['description']}{own}"
        yield _table(("field", "type", "what it is"), _fields(fields["properties"], "", rules))
    yield "### Annotations"
    yield _table(("annotation", "what it does"), ((f"`{n}`", text) for n, text in sources.annotations().items()))
    yield "### Columns\n\nOf `kubectl get er`; those with a cross with `-o wide` only."
    columns = version["additionalPrinterColumns"]
    yield _table(
        ("column", "wide", "what it is"),
        ((c["name"], "x" if c.get("priority") else "", c.get("description", "")) for c in columns),
    )


def _fields(properties: Mapping[str, Any], path: str, rules: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name, schema in properties.items():
        where = f"{path}{name}"
        kind, below, refused = _type(schema), schema, _refusals(schema)
        if schema["type"] == "array":
            below = schema["items"]
            refused += _refusals(below)
        if f".{where}" in rules:
            refused.append(rules[f".{where}"])
        yield f"`{where}`", kind, " ".join([schema["description"], *(f"*Refused with: {text}.*" for text in refused)])
        more = f"{where}[]." if schema["type"] == "array" else f"{where}."
        yield from _fields(below.get("properties", {}), more, rules)


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list of {schema['items']['type']}s"
    if "additionalProperties" in schema:
        return f"map of {schema['additionalProperties']['type']}s"
    return {"date-time": "time"}.get(schema.get("format", ""), str(schema["type"]))


def _refusals(schema: Mapping[str, Any]) -> list[str]:
    return [str(rule["message"]) for rule in schema.get("x-kubernetes-validations", [])]


def _reasons() -> Iterator[str]:
    yield (
        "## Condition reasons\n\nOf `Ready`, and of the events that tell of its changes; how the conditions behave is "
        "in [How the operator behaves](operator.md#conditions)."
    )
    told = (text.split("\n\n") for text in sources.described(api, "Reason").values())
    rows = ((f"`{reason}`", *text, "")[:3] for reason, text in zip(api.Reason, told, strict=True))
    yield _table(("reason", "what it means", "what to do"), rows)


def _stack() -> Iterator[str]:
    yield (
        "## Stack config\n\nThe keys of `Pulumi.<stack>.yaml`, each as `exchange-rate-operator:KEY`. "
        "Strings, integers and booleans can be set by `pulumi config set KEY VALUE` too; what is in an object only by "
        "`pulumi config set --path OBJECT.KEY VALUE`, and in a list by `pulumi config set --path 'LIST[0]' VALUE`: "
        "without `--path` all of it becomes one text, which is refused."
    )
    keys = sources.project_keys()
    rows = (
        (f"`{key}`", _kind_of(entry), _default(entry["default"]), entry["description"]) for key, entry in keys.items()
    )
    yield _table(("key", "type", "default", "what it is"), rows)
    for key, cls in _OBJECTS.items():
        yield f"### `{key}`"
        yield _table(("key", "default", "what it is"), _object(key, cls))
    yield (
        "### Stack outputs\n\nOf `pulumi stack output`; the attributes of the component `ExchangeRateOperator`, whose "
        "arguments `OperatorArgs` documents."
    )
    outputs = sources.attributes(ExchangeRateOperator)
    yield _table(("output", "what it is"), ((f"`{_camel(name)}`", text) for name, text in outputs.items()))


def _kind_of(entry: Mapping[str, Any]) -> str:
    return f"list of {entry['items']['type']}s" if entry["type"] == "array" else str(entry["type"])


def _object(key: str, cls: type) -> Iterator[tuple[str, str, str]]:
    texts = sources.attributes(cls)
    for name in sources.nested_keys(key):
        if (key, name) in _STACKS_OWN:
            yield f"`{name}`", "", _STACKS_OWN[key, name]
            continue
        attribute = _OTHER_NAMES.get(name, _snake(name))
        yield f"`{name}`", _default(sources.default_of(sources.field_of(cls, attribute))), texts[attribute]


def _settings() -> Iterator[str]:
    yield "## Settings of the operator\n\nEnvironment variables, which the stack sets on the Deployment."
    defaults, texts = sources.setting_defaults(), sources.described(api, "Env")
    yield _table(
        ("variable", "default", "what it is"),
        ((f"`{variable}`", _default(defaults.get(variable.name, "")), texts[variable.name]) for variable in api.Env),
    )


def _metrics() -> Iterator[str]:
    yield "## Metrics\n\nOn port 8080 at `/metrics`, with `process_*` for the process's memory, CPU time and files."
    yield _table(
        ("metric", "labels", "what it is"),
        ((f"`{m.name}`", ", ".join(f"`{label}`" for label in m.labels), m.help) for m in sources.all_metrics()),
    )


def _default(value: object) -> str:
    """Show a default as a stack file has it; nothing where there is none."""
    shown = str(value).lower() if isinstance(value, bool) else json.dumps(value) if value else ""
    text = value if isinstance(value, str) else shown
    return f"`{text}`" if text and value not in ((), {}) else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


if __name__ == "__main__":
    sys.exit(main())
