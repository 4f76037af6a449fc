"""What the sources say of themselves, for the pages of `docs/` that are made from it or held against it."""

import argparse
import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import yaml

from exchangerates import api, metrics, settings
from exchangerates_infra.config_reader import StackConfigError
from exchangerates_infra.project import ROOT
from exchangerates_infra.stack_config import StackConfig
from localcluster.__main__ import command_line_parser


class Metric(NamedTuple):
    """One metric, by the name under which Prometheus has it."""

    name: str
    labels: tuple[str, ...]
    help: str


def described(module: ModuleType, name: str) -> dict[str, str]:
    """Give the texts below a class's assignments, by the assigned names; "" in its place is the module itself."""
    body = ast.parse(inspect.getsource(module)).body
    if name:
        body = next(node for node in body if isinstance(node, ast.ClassDef) and node.name == name).body
    texts: dict[str, str] = {}
    for assigned, below in zip(body, [*body[1:], ast.Pass()], strict=True):
        target = assigned.targets[0] if isinstance(assigned, ast.Assign) else getattr(assigned, "target", None)
        if isinstance(target, ast.Name) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            texts[target.id] = inspect.cleandoc(str(below.value.value))
    return texts


def attributes(cls: type) -> dict[str, str]:
    """Give what a class's docstring says of its attributes, each in one line."""
    _, _, section = inspect.cleandoc(cls.__doc__ or "").partition("Attributes:\n")
    entries = re.findall(r"^    (\w+): (.+(?:\n {5,}.+)*)", section, re.MULTILINE)
    return {name: re.sub(r"\s*\n\s*", " ", text) for name, text in entries}


def default_of(field: Field[Any]) -> object:
    """Give the default of a dataclass's field, or None."""
    if field.default_factory is not MISSING:
        return field.default_factory()
    return None if field.default is MISSING else field.default


def field_of(cls: type, name: str) -> Field[Any]:
    """Give a dataclass's field."""
    return next(field for field in fields(cls) if field.name == name)


def setting_defaults() -> dict[str, str]:
    """Give the defaults of the operator's settings, by the member of `api.Env`, as `settings` has them in its calls."""
    found: dict[str, str] = {}
    for call in ast.walk(ast.parse(inspect.getsource(settings))):
        match call:
            case ast.Call(args=[ast.Attribute(value=ast.Name(id="Env"), attr=name), *rest]):
                texts = [arg.value for arg in rest if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
                found.setdefault(name, texts[-1] if texts else "")
    return found


def all_metrics() -> list[Metric]:
    """Give the operator's own metrics."""
    kinds = {"Counter": "_total", "Gauge": "", "Histogram": ""}
    found: list[Metric] = []
    for call in ast.walk(ast.parse(inspect.getsource(metrics))):
        match call:
            case ast.Call(func=ast.Name(id=kind), args=[ast.Constant(str(name)), ast.Constant(str(text)), *rest]) if (
                kind in kinds
            ):
                labels = rest[0].elts if rest and isinstance(rest[0], ast.List) else []
                names = tuple(str(label.value) for label in labels if isinstance(label, ast.Constant))
                found.append(Metric(f"{name}{kinds[kind]}", names, text))
    return found


def project_keys() -> dict[str, dict[str, Any]]:
    """Give the stack's keys as `Pulumi.yaml` declares them."""
    declared: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    return declared


def nested_keys(key: str) -> list[str]:
    """Give the keys of one of the stack's objects, as the program names them to whoever writes another one."""
    try:
        StackConfig.parse({"kubeContext": "any", key: '{"?": 0}'})
    except StackConfigError as error:
        told = re.search(r"there is no such key; write (?:one of )?(.+)", str(error))
        return list(dict.fromkeys(told[1].split(", "))) if told else []
    return []


def annotations() -> dict[str, str]:
    """Give what is said of the annotations of ExchangeRates, by their names."""
    return {getattr(api, name): text for name, text in described(api, "").items() if name.endswith("_ANNOTATION")}


def definition() -> dict[str, Any]:
    """Give the CustomResourceDefinition."""
    path = ROOT / "operator/exchangerates/crd.yaml"
    body: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return body


def localcluster_commands() -> dict[str, set[str]]:
    """Give the options of each of `localcluster`'s commands; those of all commands have no command's name."""
    parser = command_line_parser()
    found = {"": _options(parser)}
    for action in parser._actions:  # noqa: SLF001 - argparse shows its parts nowhere else
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            found |= {name: _options(command) for name, command in action.choices.items()}
    return found


def modules(*roots: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Give the modules below some directories, parsed."""
    for root in roots:
        for path in sorted(root.rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def _options(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}  # noqa: SLF001
