"""Mistakes in the key `image`: a built image or one that is, its platforms, and where it goes."""

import json

import pytest
from tests.infra.mistakes import assert_told, mistakes


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param('{"pullSecrets": "a"}', "names of Secrets", id="a pull secret that is no list"),
        pytest.param('{"name": "x"}', "write one of ref, repository, tag", id="unknown image key"),
        pytest.param('{"ref": "r/o:1", "repository": "r.io/o"}', "either ref", id="an image that is and is built"),
        pytest.param('{"ref": "r/o:1", "tag": "1"}', "image.tag: '1': write either ref", id="a tag for ref"),
        pytest.param('{"platforms": ["linux/arm64"]}', "a repository too", id="platforms of a loaded image"),
        pytest.param('{"provenance": true}', "a repository too", id="provenance of a loaded image"),
        pytest.param('{"repository": "team/operator"}', "registry and repository", id="no registry"),
        pytest.param('{"repository": "r.example.com/operator:1"}', "without a tag", id="repository with a tag"),
        pytest.param('{"platforms": "linux/arm64"}', "a list of platforms", id="a platform that is no list"),
        *(
            pytest.param(
                json.dumps({"repository": "r.example.com/op", "platforms": [platform]}),
                f"image.platforms: '[\"{platform}\"]': write a list of platforms without a variant",
                id=platform,
            )
            for platform in ("linux/arm64/v8", "linux/foo", "linux")
        ),
        *(
            pytest.param(json.dumps({"repository": given}), f"'{given}': write Docker Hub's as", id=given)
            for given in ("index.docker.io/team/op", "docker.io/op")
        ),
        *(
            pytest.param(json.dumps({"pullSecrets": given}), "names of Secrets", id=f"pull secrets {given}"[:50])
            for given in ("registry", ["A b"], ["registry", "registry"], ["a" * 254], [{"name": "registry"}])
        ),
        pytest.param('{"sbom": 1}', "true, false, or the reference", id="sbom"),
        pytest.param('"operator:1"', "an object", id="an image that is no object"),
    ],
)
def test_a_mistake_of_the_image_names_its_key_and_what_to_write(value: str, told: str) -> None:
    """A build that cannot be, or a name that no cluster could pull."""
    assert_told({"image": value}, told, "image")


def test_a_key_of_a_build_beside_ref_is_told_once() -> None:
    """That it needs a repository too would lead astray."""
    told = mistakes({"image": '{"ref": "r/o:1", "platforms": ["linux/arm64"], "sbom": true}'})
    assert [line.partition(": ")[0] for line in told] == ["image.platforms", "image.sbom"]
