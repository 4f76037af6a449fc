"""Plain YAML of a stack that needs a key: no Secret is ever written, and the reader is told how to make it."""

import shutil
from pathlib import Path

import pytest
import yaml

from exchangerates_infra import recorder
from exchangerates_infra.manifests import stack_manifests
from exchangerates_infra.project import PROJECT, ROOT
from exchangerates_infra.workload import SECRET_HASH

KEYED = {"providers": ["exchangeratesapi", "ecb"], "image": {"ref": "r.example.com/operator:1"}}


def test_a_secret_is_left_out_and_how_to_make_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The Deployment reads it by name; neither a key nor its hash is in what is written."""
    manifests = stack_manifests("prod", {**KEYED, "namespace": "rates"})
    text = yaml.safe_dump_all(manifests)
    assert "kind: Secret" not in text
    assert SECRET_HASH not in text
    (deployment,) = [manifest for manifest in manifests if manifest["kind"] == "Deployment"]
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


def test_what_the_stack_file_encrypts_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the CLI can open it: the manifests have the place for it, and not a word of it."""
    (tmp_path / "infra").symlink_to(ROOT / "infra")
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    own = {
        "kubeContext": "prod",
        "image": {"ref": "r.example.com/operator:1"},
        "proxy": {"https": "http://proxy:3128"},
        "proxyCredentials": {"secure": "v1:planted"},
    }
    config = {f"{PROJECT}:{key}": value for key, value in own.items()}
    (tmp_path / "Pulumi.prod.yaml").write_text(yaml.safe_dump({"config": config}))
    monkeypatch.setattr(recorder, "ROOT", tmp_path)
    text = yaml.safe_dump_all(stack_manifests("prod", {}))
    assert "http://$(PROXY_CREDENTIALS)@proxy:3128" in text
    assert "planted" not in text
    assert "elsewhere" not in text


def test_a_stack_that_builds_its_image_names_one() -> None:
    """Nothing was built here: a made-up digest would be deployed."""
    with pytest.raises(ValueError, match="--image REFERENCE"):
        stack_manifests("dev", {})
