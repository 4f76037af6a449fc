"""What tests ask of the Pulumi CLI beyond `up` and `destroy`."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

import yaml

from exchangerates_infra.project import PROJECT
from localcluster.pulumi_cli import PulumiStack

_NO_CHANGE = ("same", "read", "refresh")


class TestedStack(PulumiStack):
    """A stack that is looked at from all sides."""

    __test__ = False

    def preview(self, overrides: Mapping[str, object], *arguments: str) -> dict[str, str]:
        """Give what an update would do to which resource, each as `Kind name`; what stays as it is is left out."""
        self._select(overrides)
        digest = json.loads(self._told("preview", "--json", *arguments, *self._which()))
        operations = {_shown(step["urn"]): step["op"] for step in digest["steps"]}
        return {resource: operation for resource, operation in operations.items() if operation not in _NO_CHANGE}

    def refused(self, overrides: Mapping[str, object], command: str = "preview", *arguments: str) -> str:
        """Give all that the CLI says of a preview, or another command, that fails."""
        self._select(overrides)
        ended = self._ended(command, *arguments, *self._which())
        assert ended.returncode != 0, ended.stdout
        return ended.stdout + ended.stderr

    def refresh(self) -> None:
        """Look at what is there."""
        self._run("refresh", "--yes", "--skip-preview")

    def encrypted(self, key: str, value: str) -> dict[str, str]:
        """Give a value as it stands encrypted in the stack file."""
        self._select({})
        self._told("config", "set", "--secret", key, value, *self._which())
        found: dict[str, str] = yaml.safe_load(self._config_file.read_text())["config"][f"{PROJECT}:{key}"]
        return found

    def state(self) -> dict[str, dict[str, Any]]:
        """Give the resources of the state by their urns."""
        deployment = json.loads(self._told("stack", "export", "--stack", self._stack))["deployment"]
        return {resource["urn"]: resource for resource in deployment["resources"]}

    def rename(self, urn: str, name: str) -> None:
        """Rename a resource in the state."""
        self._told("state", "rename", urn, name, "--yes", "--stack", self._stack)

    def _told(self, *arguments: str) -> str:
        ended = self._ended(*arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def _ended(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(*arguments), env=self._environment(), capture_output=True, text=True, check=False
        )


def _shown(urn: str) -> str:
    kind, name = urn.split("::")[2:4]
    return f"{kind.rpartition('$')[2].rpartition(':')[2]} {name}"
