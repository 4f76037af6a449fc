"""Plain YAML of a stack that needs a key: no Secret is ever written, and the reader is told how to make it."""

import pytest
import yaml

from exchangerates_infra.manifests import stack_manifests

KEYED = {"providers": ["exchangeratesapi", "ecb"], "image": {"ref": "r.example.com/operator:1"}}


def test_a_secret_is_left_out_and_how_to_make_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The Deployment reads it by name; neither a key nor its hash is in what is written."""
    manifests = stack_manifests("prod", {**KEYED, "namespace": "rates"})
    text = yaml.safe_dump_all(manifests)
    assert "kind: Secret" not in text
    assert "sha256" not in text
    (deployment,) = [manifest for manifest in manifests if manifest["kind"] == "Deployment"]
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    (source,) = [variable["valueFrom"]["secretKeyRef"] for variable in variables if "valueFrom" in variable]
    line = f"kubectl --namespace rates create secret generic {source['name']} --from-literal={source['key']}=KEY"
    assert line in capsys.readouterr().err


def test_a_stack_that_builds_its_image_names_one() -> None:
    """Nothing was built here: a made-up digest would be deployed."""
    with pytest.raises(ValueError, match="--image REFERENCE"):
        stack_manifests("dev", {})
