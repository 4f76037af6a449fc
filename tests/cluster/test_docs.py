"""The manifests in the docs, against the real API server."""

import pytest
import yaml
from tests.docs import pages

from localcluster.client import Client, Reference

MANIFESTS = [
    pytest.param(manifest, id=f"{page.name} {manifest['kind']} {manifest['metadata']['name']}")
    for page in pages.PAGES
    for block in pages.blocks(page, "yaml")
    for manifest in yaml.safe_load_all(block)
    if "apiVersion" in manifest
]


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("manifest", MANIFESTS)
def test_every_manifest_in_the_docs_is_accepted(client: Client, manifest: dict[str, object]) -> None:
    """By the CRD's rules or by Kubernetes' own, and with no field that nobody knows; nothing is kept of it."""
    path = f"/apis/{manifest['apiVersion']}/namespaces/default/{str(manifest['kind']).lower()}s"
    client.request("POST", path, manifest, params={"dryRun": "All", "fieldValidation": "Strict"})
    assert client.get(Reference.of(manifest)._replace(namespace="default")) is None
