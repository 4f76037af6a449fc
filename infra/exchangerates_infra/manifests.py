"""Writes what a stack provisions as plain YAML, for `kubectl apply` or a GitOps repository: no Pulumi, no cluster.

    uv run python -m exchangerates_infra.manifests STACK --image REFERENCE [--directory DIRECTORY]

The program itself is run and what it registers is written, the same that `pulumi up` would make. Secrets are left out,
and how to make them is told.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from exchangerates.api import API_KEYS, KIND
from exchangerates_infra.config_reader import ConfigReader, StackConfigError
from exchangerates_infra.environment import PROXY_ENTRY
from exchangerates_infra.project import PROJECT, ROOT
from exchangerates_infra.recorder import encrypted_keys, record, stack_file_values
from exchangerates_infra.stack_sections import OF_A_BUILD
from exchangerates_infra.workload import SECRET_HASH

PARTS: Final = ("crd.yaml", "operator.yaml", "rates.yaml")
"""In the order in which they are applied: `kubectl` has to know the kind before it takes an object of it."""
_KEYS: Final = tuple(f"{PROJECT}:{provider}Key" for provider in API_KEYS)
_CREDENTIALS: Final = f"{PROJECT}:proxyCredentials"
_IMAGE: Final = f"{PROJECT}:image"
_PULUMI: Final = "pulumi.com/"


def main(arguments: list[str] | None = None) -> int:
    """Write the manifests of a stack; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m exchangerates_infra.manifests", description=__doc__)
    parser.add_argument("stack", help="the name of a stack file, Pulumi.<stack>.yaml")
    parser.add_argument("--image", help="the operator's image, where the stack file has no image.ref")
    parser.add_argument("--directory", type=Path, help=f"write {', '.join(PARTS)} there instead of one stream")
    given = parser.parse_args(arguments)
    if not (ROOT / f"Pulumi.{given.stack}.yaml").is_file():
        stacks = ", ".join(sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml")))
        parser.error(f"there is no Pulumi.{given.stack}.yaml; name one of {stacks}")
    try:
        manifests = stack_manifests(given.stack, {}, given.image)
    except (StackConfigError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _write(manifests, given.directory)
    return 0


def stack_manifests(stack: str, overrides: Mapping[str, object], image: str | None = None) -> list[dict[str, Any]]:
    """Give the Kubernetes objects of a stack in the order in which they are applied, without Secrets.

    Args:
        stack: The name of the stack file.
        overrides: Values in place of the file's, by key without the project's name.
        image: The image's reference, in place of the stack's own or of what it would build.

    Raises:
        StackConfigError: The program refused the config.
        ValueError: The stack would build its image.
    """
    values = stack_file_values(stack, overrides)
    if image is not None:
        values[_IMAGE] = _with_reference(values.get(_IMAGE, ""), image)
    # The encrypted ones are Pulumi's alone; what stands for them here goes into no output.
    values |= dict.fromkeys(_KEYS, "elsewhere")
    if _CREDENTIALS in encrypted_keys(stack):
        values[_CREDENTIALS] = "elsewhere:elsewhere"
    recording = record(stack, values, secret_keys=(*_KEYS, _CREDENTIALS))
    if any(resource.type.startswith("docker-build:") for resource in recording.resources):
        raise ValueError("this stack builds its image; name one that is there already, with --image REFERENCE")
    return [_plain(manifest) for manifest in recording.manifests() if not _is_secret(manifest)]


def _with_reference(section: str, reference: str) -> str:
    """Give the stack's `image` with a reference and all that is not about building one."""
    reader = ConfigReader({"image": section})
    kept = {key: value for key, value in reader.mapping("image").items() if key not in OF_A_BUILD}
    reader.raise_mistakes()
    return json.dumps({**kept, "ref": reference})


def _is_secret(manifest: Mapping[str, Any]) -> bool:
    if manifest["kind"] != "Secret":
        return False
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    values = {PROXY_ENTRY: "USER:PASSWORD"}
    entries = " ".join(f"--from-literal={entry}={values.get(entry, 'KEY')}" for entry in manifest["stringData"])
    sys.stderr.write(
        f"The Secret {name} is left out; once its namespace is there, make it with\n"
        f"  kubectl --namespace {namespace} create secret generic {name} {entries}\n"
    )
    return True


def _plain(value: Any) -> Any:  # noqa: ANN401 - a tree of JSON
    """Leave out what only Pulumi reads, and the hash of secrets that are not known here."""
    if isinstance(value, dict):
        kept = {key: _plain(child) for key, child in value.items() if not _is_pulumis(key)}
        return {key: child for key, child in kept.items() if key != "annotations" or child}
    return [_plain(child) for child in value] if isinstance(value, list) else value


def _is_pulumis(key: str) -> bool:
    return key.startswith(_PULUMI) or key == SECRET_HASH


def _write(manifests: Iterable[dict[str, Any]], directory: Path | None) -> None:
    """Write the parts with sorted keys: in what the program registers, their order is another each time.

    A part without objects is no file, since `kubectl apply` fails on one, and one of a former run goes.
    """
    parts: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    for manifest in manifests:
        kinds = {"CustomResourceDefinition": "crd.yaml", KIND: "rates.yaml"}
        parts[kinds.get(manifest["kind"], "operator.yaml")].append(manifest)
    if directory is None:
        yaml.safe_dump_all([manifest for part in PARTS for manifest in parts[part]], sys.stdout)
        return
    directory.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        if parts[part]:
            (directory / part).write_text(yaml.safe_dump_all(parts[part]), encoding="utf-8")
        else:
            (directory / part).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
