"""The arguments of the component: frozen, typed, with a unit and a default each.

The stack's config is checked before it gets here (`stack_config`); another program's values are checked by the API
server and by the operator, which refuses settings that it cannot use when it starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi


@dataclass(frozen=True)
class ImageArgs:
    """Where the operator's image comes from.

    Attributes:
        ref: An existing image; all that is about building one is then left out of account (in a stack file: a mistake).
        repository: Where the built image is pushed, without a tag; left out, it is loaded into the local engine.
        tag: The tag of the built image; what is pushed is deployed by digest all the same.
        platforms: What it is built for, such as `linux/amd64`; empty for the builder's own.
        builder: The name of a BuildKit builder; left out, the default one.
        base_image: The base image in place of the Dockerfile's.
        context: The directory of the Dockerfile, relative to the program's: an absolute one would make a rebuild on
            every machine.
        provenance: Whether the pushed image carries a record of how it was built.
        sbom: The image that lists the pushed image's contents for it; left out, there is no such list.
        pull_secrets: The names of Secrets in the operator's namespace with which a node pulls the image, whichever it
            is; they have to be there.
    """

    ref: str | None = None
    repository: str | None = None
    tag: str = "latest"
    platforms: tuple[str, ...] = ()
    builder: str | None = None
    base_image: str | None = None
    context: str = "../operator"
    provenance: bool = False
    sbom: str | None = None
    pull_secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class RateArgs:
    """An ExchangeRate that the environment always has.

    Attributes:
        name: Its name, also its ConfigMap's unless `spec` says otherwise.
        spec: Its spec, as in the CRD.
        namespace: Its namespace, which has to exist.
        former_name: Its name before a rename, or None. The update then deletes it before it makes it anew: two would
            want one ConfigMap where `spec` names that, and the second never becomes Ready.
    """

    name: str
    spec: Mapping[str, Any]
    namespace: str = "default"
    former_name: str | None = None


@dataclass(frozen=True)
class CrdArgs:
    """What becomes of the CustomResourceDefinition, which a cluster has once.

    Attributes:
        manage: Whether the component owns it, and with it the roles for people; otherwise it has to be there.
        retain: Whether destroying leaves it, and with it the users' ExchangeRates and the roles for people.
        protect: Whether Pulumi refuses to delete it.
        provider: The Kubernetes provider that it is on; None for the component's own. One with
            `upsert_existing_objects` takes up a CustomResourceDefinition that is there already.
    """

    manage: bool = True
    retain: bool = False
    protect: bool = False
    provider: pulumi.ProviderResource | None = None


@dataclass(frozen=True)
class PodArgs:
    """Where and how the operator's Pod runs.

    Attributes:
        labels: Labels of the Deployment and its Pod besides their own.
        node_selector: Labels that its node must have.
        tolerations: Taints that it tolerates, as in a Pod's spec.
        priority_class: The name of its PriorityClass.
        resources: `requests` and `limits` of its container, a quantity by resource, in place of single ones of
            {requests: {cpu: 50m, memory: 96Mi}, limits: {memory: 384Mi}} or besides them.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    priority_class: str | None = None
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class EgressArgs:
    """The way from the operator to the rate providers; calls to the API server never take it.

    Attributes:
        https_proxy: The proxy for `https://` addresses, such as `http://proxy.example.com:3128`.
        http_proxy: The proxy for `http://` addresses.
        proxy_credentials: User and password of the proxies as in an address, `user:password`; kept secret.
        no_proxy: Hosts and domains that are reached directly, besides those of the cluster.
        ca_bundle: Certificates, PEM, of private authorities that are trusted besides the public ones, or None.
    """

    https_proxy: str | None = None
    http_proxy: str | None = None
    proxy_credentials: pulumi.Input[str] | None = field(default=None, repr=False)
    no_proxy: tuple[str, ...] = ()
    ca_bundle: str | None = None


@dataclass(frozen=True)
class NetworkPolicyArgs:
    """A NetworkPolicy for the operator's Pod; it takes a network plugin that enforces it.

    Attributes:
        enabled: Whether there is one.
        api_server_ports: The TCP ports of the API server, as Pods see it and behind its Service.
        ports: Further ports that the Pod may reach, TCP and UDP. Most network plugins see the port of the Pod behind a
            Service: a proxy's or self-hosted rate provider's `targetPort`, and 5353 for OpenShift's DNS.
    """

    enabled: bool = False
    api_server_ports: tuple[int, ...] = (443, 6443)
    ports: tuple[int, ...] = ()


@dataclass(frozen=True)
class MonitoringArgs:
    """Objects for the Prometheus Operator and Grafana, whose kinds the cluster has to know.

    Attributes:
        enabled: Whether there are a ServiceMonitor, a PrometheusRule and a dashboard.
        labels: Labels by which the cluster's Prometheus selects the first two.
        dashboard_labels: Labels by which Grafana's sidecar finds the dashboard's ConfigMap; empty for no dashboard.
        scrape_interval: Time between two scrapes, a Prometheus duration of at most 5m, or 0 for Prometheus' own.
        runbook_url: Where the alerts' runbook is; an alert adds its name as the fragment.
    """

    enabled: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    dashboard_labels: Mapping[str, str] = field(default_factory=lambda: {"grafana_dashboard": "1"})
    scrape_interval: str = "30s"
    runbook_url: str = "docs/runbook.md"


@dataclass(frozen=True)
class OperatorArgs:
    """What one operator is made of.

    Attributes:
        namespace: The operator's own namespace.
        create_namespace: Whether the component creates it; otherwise it has to be there, and stays.
        base_currency: Base currency of ExchangeRates that name none, an ISO 4217 code.
        providers: The chain of rate providers, first choice first; no other is enabled.
        refresh_interval: How long ExchangeRates that name no interval use a quote, a Go duration from 1m to 720h.
        max_age: Age of a quote after which it is stale, for ExchangeRates that name none, a Go duration from 1h up.
        min_fetch_intervals: Least time between two calls, a Go duration by the name of a rate provider.
        provider_urls: Root addresses in place of the public ones, by the name of a rate provider.
        max_calls_per_day: Most calls in any 24 hours, by the name of a rate provider.
        api_key: The API key of exchangeratesapi, or None; kept secret.
        openexchangerates_key: The App ID of openexchangerates, or None; kept secret.
        watch_namespaces: The namespaces that the operator serves and has rights in; empty for all.
        log_level: DEBUG, INFO, WARNING or ERROR.
        rates: The ExchangeRates that the environment always has.
        wait_for_rates: Whether an update waits until the rates are Ready.
        wait_for_rollout: Whether an update waits until the new Pod is available, for ten minutes at most.
        image: Where the image comes from.
        crd: What becomes of the CustomResourceDefinition.
        pod: Where and how the Pod runs.
        egress: The way to the rate providers.
        network_policy: The Pod's NetworkPolicy.
        monitoring: Objects for Prometheus and Grafana.
        kubectl: How the printed commands call kubectl, with the options that lead to the cluster.
    """

    namespace: str = "exchange-rate-operator"
    create_namespace: bool = True
    base_currency: str = "EUR"
    providers: tuple[str, ...] = ("frankfurter", "ecb")
    refresh_interval: str = "1h"
    max_age: str = "168h"
    min_fetch_intervals: Mapping[str, str] = field(default_factory=dict)
    provider_urls: Mapping[str, str] = field(default_factory=dict)
    max_calls_per_day: Mapping[str, str] = field(default_factory=dict)
    api_key: pulumi.Input[str] | None = field(default=None, repr=False)
    openexchangerates_key: pulumi.Input[str] | None = field(default=None, repr=False)
    watch_namespaces: tuple[str, ...] = ()
    log_level: str = "INFO"
    rates: tuple[RateArgs, ...] = ()
    wait_for_rates: bool = True
    wait_for_rollout: bool = True
    image: ImageArgs = field(default_factory=ImageArgs)
    crd: CrdArgs = field(default_factory=CrdArgs)
    pod: PodArgs = field(default_factory=PodArgs)
    egress: EgressArgs = field(default_factory=EgressArgs)
    network_policy: NetworkPolicyArgs = field(default_factory=NetworkPolicyArgs)
    monitoring: MonitoringArgs = field(default_factory=MonitoringArgs)
    kubectl: str = "kubectl"

    @property
    def api_keys(self) -> dict[str, pulumi.Input[str]]:
        """The API keys that there are, by rate provider."""
        keys = {"exchangeratesapi": self.api_key, "openexchangerates": self.openexchangerates_key}
        return {provider: key for provider, key in keys.items() if key is not None}
