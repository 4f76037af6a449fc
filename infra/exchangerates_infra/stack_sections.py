"""The stack's values that are objects: image, CRD, Pod, way out, NetworkPolicy and monitoring."""

import re
from collections.abc import Collection
from typing import Final

import pulumi_docker_build as docker_build

from exchangerates.addresses import leads_somewhere
from exchangerates_infra.args import (
    CrdArgs,
    EgressArgs,
    ImageArgs,
    MonitoringArgs,
    NetworkPolicyArgs,
    PodArgs,
)
from exchangerates_infra.config_reader import ConfigReader
from exchangerates_infra.config_section import Section
from exchangerates_infra.resources import read_resources
from exchangerates_infra.tolerations import check_toleration
from exchangerates_infra.workload import LABELS

SBOM_GENERATOR: Final = "docker/buildkit-syft-scanner:stable-1"
"""What lists an image's contents where the stack names no other: BuildKit's own default."""
_REPOSITORY: Final = r"(localhost|[a-z0-9\-]+:[0-9]+|[a-z0-9\-]+(\.[a-z0-9\-]+)+(:[0-9]+)?)(/[a-z0-9._\-]+)+"
"""With the registry's host: without one, the built image has no reference by digest."""
_SHORT_OF_DOCKER_HUB: Final = r"index\.docker\.io/.*|docker\.io/[^/]+"
"""What Docker writes in another way: docker.io in place of the first, docker.io/library/... in place of the second."""
OF_A_BUILD: Final = ("repository", "tag", "platforms", "builder", "baseImage", "provenance", "sbom")
"""The keys of `image` that are about building one."""
_CREDENTIALS: Final = r"[^\s:/?#@\[\]]+:[^\s:/?#@\[\]]+"
_CREDENTIALS_APART: Final = "and user and password with `pulumi config set --secret proxyCredentials user:password`"
_PLATFORM: Final = "|".join(re.escape(platform.value) for platform in docker_build.Platform)
"""Those that the image's resource takes: none has a variant."""

_UNITS: Final = {"y": 31536000, "w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_SCRAPE_INTERVAL: Final = "0|" + "".join(f"([0-9]+{unit})?" for unit in _UNITS)
"""The Prometheus Operator's own pattern: units in this order, each once. 0 is Prometheus' own interval."""
_MAX_SCRAPE_INTERVAL_S: Final = 300
"""For how long Prometheus takes a value for the present one, unless it is told otherwise."""


def image(reader: ConfigReader) -> ImageArgs:
    """Read where the image comes from."""
    with Section(reader, "image") as section:
        args = ImageArgs(
            ref=section.text("ref", r"\S+", "a reference such as registry.example.com/operator@sha256:..."),
            repository=section.text(
                "repository", _REPOSITORY, "registry and repository without a tag, such as docker.io/team/operator"
            ),
            tag=section.text("tag", r"[\w][\w.\-]{0,127}", "a tag such as latest") or "latest",
            platforms=section.texts(
                "platforms", "a list of platforms without a variant, such as [linux/amd64, linux/arm64]", _PLATFORM
            ),
            builder=section.text("builder", r"\S+", "the name of a BuildKit builder (docker buildx ls)"),
            base_image=section.text("baseImage", r"\S+", "the reference of an image with Python and pip"),
            provenance=section.boolean("provenance", default=False),
            sbom=_sbom(section),
            pull_secrets=section.object_names("pullSecrets", "names of Secrets in the operator's namespace, each once"),
        )
        if re.fullmatch(_SHORT_OF_DOCKER_HUB, args.repository or ""):
            section.mistake("repository", "Docker Hub's as docker.io/ACCOUNT/NAME, such as docker.io/team/operator")
        for key in OF_A_BUILD:
            if args.ref is not None and section.has(key):
                section.mistake(key, "either ref, an image that is there, or this key, for one that is built")
        for key in ("platforms", "provenance", "sbom"):
            if getattr(args, key) and args.repository is None and args.ref is None:
                section.mistake(key, "a repository too: only a pushed image can have it")
    return args


def _sbom(section: Section) -> str | None:
    if section.is_boolean("sbom"):
        return SBOM_GENERATOR if section.boolean("sbom", default=False) else None
    return section.text("sbom", r"\S+", "true, false, or the reference of an image that generates it")


def crd(reader: ConfigReader) -> tuple[CrdArgs, bool]:
    """Read what becomes of the CRD, and whether one that is there already is taken up."""
    with Section(reader, "crd") as section:
        args = CrdArgs(
            manage=section.boolean("manage", default=True),
            retain=section.boolean("retain", default=False),
            protect=section.boolean("protect", default=False),
        )
        # What a destroy leaves on purpose, the next update takes up again.
        adopt = section.boolean("adopt", default=args.retain)
        for key in ("protect", "adopt"):
            if not args.manage and section.is_true(key):
                section.mistake(key, "it without manage: false, or leave it out: this stack has no CRD then")
    return args, adopt


def pod(reader: ConfigReader) -> PodArgs:
    """Read where and how the Pod runs."""
    with Section(reader, "pod") as section:
        given = section.objects("tolerations", "a list of tolerations as in a Pod's spec")
        # Without what is empty: the API server would drop it, and each preview would show it anew.
        tolerations = tuple({key: value for key, value in found.items() if value not in (None, "")} for found in given)
        for index, toleration in enumerate(tolerations):
            check_toleration(reader, f"pod.tolerations[{index}]", toleration)
        labels = section.labels("labels")
        for key in LABELS.keys() & labels.keys():
            reader.mistake(f"pod.labels.{key}", labels[key], "another label: this one is the operator's own")
        return PodArgs(
            labels=labels,
            node_selector=section.labels("nodeSelector"),
            tolerations=tolerations,
            priority_class=section.text("priorityClassName", r"[a-z0-9][a-z0-9.\-]*", "the name of a PriorityClass"),
            resources=read_resources(reader, "pod.resources", section.given("resources")),
        )


def egress(reader: ConfigReader, secrets: Collection[str]) -> EgressArgs:
    """Read the way to the rate providers."""
    credentials = _proxy_credentials(reader)
    if "proxy" in secrets:
        reader.mistake("proxy", "(encrypted)", f"the addresses in plain text, {_CREDENTIALS_APART}")
    bundle = reader.text("caBundle", "") or None
    if bundle and "-----BEGIN CERTIFICATE-----" not in bundle:
        reader.mistake("caBundle", bundle[:40], "certificates in PEM form, -----BEGIN CERTIFICATE----- and so on")
    with Section(reader, "proxy") as section:
        https, http = _proxy(section, "https"), _proxy(section, "http")
        if credentials and not (section.has("https") or section.has("http")):
            reader.mistake("proxyCredentials", "(encrypted)", "proxy.https or proxy.http too, or leave it out")
        if section.has("exceptions") and not (section.has("https") or section.has("http")):
            section.mistake("exceptions", "proxy.https or proxy.http too, or leave it out")
        return EgressArgs(
            https_proxy=https,
            http_proxy=http,
            proxy_credentials=credentials,
            no_proxy=section.texts("exceptions", "a list of hosts and domains such as .example.com", r"[^\s,]+"),
            ca_bundle=bundle,
        )


def _proxy(section: Section, key: str) -> str | None:
    if "@" in str(section.given(key)):
        write = f"the address alone, which everybody reads in the Deployment, {_CREDENTIALS_APART}"
        section.mistake(key, write, "(with a password)")
        return None
    address = section.text(key, r"https?://[^\s,/]+/?", "an address such as http://proxy.example.com:3128")
    if address is not None and not leads_somewhere(address):
        section.mistake(
            key, "an address with a host, and a port from 1 to 65535, such as http://proxy.example.com:3128"
        )
    return address


def _proxy_credentials(reader: ConfigReader) -> str | None:
    value = reader.encrypted("proxyCredentials")
    if value and not re.fullmatch(_CREDENTIALS, value):
        reader.mistake("proxyCredentials", "(not shown)", "user:password as in an address, an @ as %40")
    return value or None


def network_policy(reader: ConfigReader) -> NetworkPolicyArgs:
    """Read the NetworkPolicy."""
    with Section(reader, "networkPolicy") as section:
        return NetworkPolicyArgs(
            enabled=section.enabled("apiServerPorts", "ports"),
            api_server_ports=section.ports("apiServerPorts", NetworkPolicyArgs().api_server_ports),
            ports=section.ports("ports", ()),
        )


def monitoring(reader: ConfigReader) -> MonitoringArgs:
    """Read what is there for Prometheus and Grafana."""
    defaults = MonitoringArgs()
    with Section(reader, "monitoring") as section:
        dashboard_labels = section.labels("dashboardLabels")
        if section.given("dashboardLabels") is None:
            dashboard_labels = dict(defaults.dashboard_labels)
        return MonitoringArgs(
            enabled=section.enabled("labels", "dashboardLabels", "scrapeInterval", "runbookUrl"),
            labels=section.labels("labels"),
            dashboard_labels=dashboard_labels,
            scrape_interval=_scrape_interval(section) or defaults.scrape_interval,
            runbook_url=section.text("runbookUrl", r"\S+", "an address such as https://wiki.example.com/runbook")
            or defaults.runbook_url,
        )


def _scrape_interval(section: Section) -> str | None:
    interval = section.text("scrapeInterval", _SCRAPE_INTERVAL, "a duration such as 30s or 1m30s")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall("([0-9]+)([a-z]+)", interval or ""))
    if seconds > _MAX_SCRAPE_INTERVAL_S:
        section.mistake(
            "scrapeInterval", "at most 5m: Prometheus drops a value then, and would take the operator for down"
        )
    return interval
