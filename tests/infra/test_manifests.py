"""Plain YAML of a stack that needs a key: no Secret is ever written, and the reader is told how to make it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from exchangerates_infra import manifests, recorder
from exchangerates_infra.manifests import stack_manifests
from exchangerates_infra.project import PROJECT, ROOT
from exchangerates_infra.workload import SECRET_HASH

KEYED = {"providers": ["exchangeratesapi", "ecb"], "image": {"ref": "r.example.com/operator:1"}}


def test_a_secret_is_left_out_and_how_to_make_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The Deployment reads it by name; neither a key nor its hash is in what is written."""
    written = stack_manifests("prod", {**KEYED, "namespace": "rates"})
    text = yaml.safe_dump_all(written)
    assert "kind: Secret" not in text
    assert SECRET_HASH not in text
    (deployment,) = [manifest for manifest in written if manifest["kind"] == "Deployment"]
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    (source,) = [variable["valueFrom"]["secretKeyRef"] for variable in variables if "valueFrom" in variable]
    line = f"kubectl --namespace rates create secret generic {source['name']} --from-literal={source['key']}=KEY"
    assert line in capsys.readouterr().err


def test_the_proxies_credentials_are_left_out_too(capsys: pytest.CaptureFixture[str]) -> None:
    """The proxy's address and port are in what is written."""
    values = {**KEYED, "providers": ["ecb"], "proxy": {"https": "http://proxy:3128"}, "proxyCredentials": "me:planted"}
    text = yaml.safe_dump_all(stack_manifests("prod", values))
    assert "http://$(PROXY_CREDENTIALS)@proxy:3128" in text
    assert "planted" not in text
    assert "--from-literal=proxy-credentials=USER:PASSWORD" in capsys.readouterr().err


@pytest.fixture
def stack_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write a stack file `prod` of one's own, in place of the project's."""
    (tmp_path / "infra").symlink_to(ROOT / "infra")
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    for module in (recorder, manifests):
        monkeypatch.setattr(module, "ROOT", tmp_path)

    def write(**own: object) -> None:
        config = {f"{PROJECT}:{key}": value for key, value in {"kubeContext": "prod", **own}.items()}
        (tmp_path / "Pulumi.prod.yaml").write_text(yaml.safe_dump({"config": config}))

    return write


def test_what_the_stack_file_encrypts_is_told_apart(stack_file: Callable[..., None]) -> None:
    """Only the CLI can open it: the manifests have the place for it, and not a word of it."""
    stack_file(
        image={"ref": "r.example.com/operator:1"},
        proxy={"https": "http://proxy:3128"},
        proxyCredentials={"secure": "v1:planted"},
    )
    text = yaml.safe_dump_all(stack_manifests("prod", {}))
    assert "http://$(PROXY_CREDENTIALS)@proxy:3128" in text
    assert "planted" not in text
    assert "elsewhere" not in text


def test_another_image_is_pulled_with_the_stacks_secrets(stack_file: Callable[..., None], tmp_path: Path) -> None:
    """`--image` takes the place of what is built or named, and of nothing else."""
    stack_file(image={"repository": "r.example.com/team/operator", "sbom": True, "pullSecrets": ["registry"]})
    assert manifests.main(["prod", "--image", "r.example.com/operator:2", "--directory", str(tmp_path / "out")]) == 0
    written = yaml.safe_load_all((tmp_path / "out" / "operator.yaml").read_text())
    (deployment,) = [manifest for manifest in written if manifest["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["containers"][0]["image"] == "r.example.com/operator:2"


def test_a_part_without_objects_is_no_file(stack_file: Callable[..., None], tmp_path: Path) -> None:
    """`kubectl apply` fails on an empty one, and one of a former run would bring back what the stack has no more."""
    command = ["prod", "--image", "r.example.com/operator:1", "--directory", str(tmp_path / "out")]
    for rates, parts in (([{"currency": "USD"}], set(manifests.PARTS)), ([], set(manifests.PARTS) - {"rates.yaml"})):
        stack_file(rates=rates)
        assert manifests.main(command) == 0
        assert {path.name for path in (tmp_path / "out").iterdir()} == parts


def test_a_stack_that_builds_its_image_names_one() -> None:
    """Nothing was built here: a made-up digest would be deployed."""
    with pytest.raises(ValueError, match="--image REFERENCE"):
        stack_manifests("dev", {})
