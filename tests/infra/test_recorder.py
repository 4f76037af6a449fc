"""The recorder refuses what the CLI or the engine would refuse."""

from pathlib import Path

import pytest

from exchangerates_infra import recorder
from exchangerates_infra.config_reader import StackConfigError
from exchangerates_infra.project import ROOT
from exchangerates_infra.recorder import DuplicateResourceError, record_program, stack_file_values


def test_a_resource_that_is_registered_twice_is_refused(tmp_path: Path) -> None:
    """The engine refuses it too: of one type, name and parent there is one."""
    file = tmp_path / "program.py"
    file.write_text("import pulumi_kubernetes as k8s\n" + 'k8s.Provider("c", context="c")\n' * 2)
    with pytest.raises(DuplicateResourceError, match=r"Duplicate resource URN: urn:pulumi:dev::.*::c$"):
        record_program(file, "dev", {})


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The stack file of a stack `here`."""
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    monkeypatch.setattr(recorder, "ROOT", tmp_path)
    return tmp_path / "Pulumi.here.yaml"


def test_a_key_that_is_twice_in_a_stack_file_is_refused(file: Path) -> None:
    """The CLI refuses it, too: the last one would win in silence."""
    file.write_text("config:\n  exchange-rate-operator:minFetchIntervals:\n    ecb: 1h\n    frankfurter: 1h\n")
    intervals = '{"ecb": "1h", "frankfurter": "1h"}'
    assert stack_file_values("here")["exchange-rate-operator:minFetchIntervals"] == intervals
    file.write_text(file.read_text().replace("frankfurter", "ecb"))
    with pytest.raises(StackConfigError, match=r"^Pulumi\.here\.yaml has ecb twice; write it once$"):
        stack_file_values("here")


def test_a_stack_file_that_is_no_yaml_is_told_with_its_line(file: Path) -> None:
    """Its name too."""
    file.write_text("config:\n  key: [a\n")
    with pytest.raises(StackConfigError, match=r"^Pulumi\.here\.yaml is no YAML; correct it: (?s:.*)line 3, column 1"):
        stack_file_values("here")
