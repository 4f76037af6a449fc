"""The arguments of the component: frozen, and checked before they get here or by the API server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi


@dataclass(frozen=True)
class ImageArgs:
    """Where the operator's image comes from.

    Attributes:
        ref: An existing image; everything else is then left out of account.
        repository: Where the built image is pushed, without a tag; None loads it into the local engine.
        tag: The tag of the built image; what is pushed is deployed by digest all the same.
        platforms: What it is built for, such as `linux/amd64`; empty for the builder's own.
        builder: The name of a BuildKit builder; None for the default one.
        base_image: The base image in place of the Dockerfile's.
    """

    ref: str | None = None
    repository: str | None = None
    tag: str = "latest"
    platforms: tuple[str, ...] = ()
    builder: str | None = None
    base_image: str | None = None


@dataclass(frozen=True)
class RateArgs:
    """An ExchangeRate that the environment always has.

    Attributes:
        name: Its name, also its ConfigMap's unless `spec` says otherwise.
        namespace: Its namespace, which has to exist.
        spec: Its spec, as in the CRD.
    """

    name: str
    namespace: str
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class OperatorArgs:
    """What one operator is made of.

    Attributes:
        namespace: The operator's own namespace; the component creates it.
        environment: The operator's settings, by the names of `exchangerates.api.Env`.
        watch_namespaces: The namespaces that it serves and has rights in; empty for all.
        rates: The ExchangeRates that the environment always has.
        image: Where the image comes from.
        api_key: The API key of exchangeratesapi, or None.
        wait_for_rates: Whether an update waits until the rates are Ready.
        wait_for_rollout: Whether an update waits until the Deployment is available.
        manage_crd: Whether the component owns the CustomResourceDefinition.
        retain_crd: Whether destroying leaves the CustomResourceDefinition and all ExchangeRates.
    """

    namespace: str = "exchange-rate-operator"
    environment: Mapping[str, str] = field(default_factory=dict)
    watch_namespaces: tuple[str, ...] = ()
    rates: tuple[RateArgs, ...] = ()
    image: ImageArgs = field(default_factory=ImageArgs)
    api_key: pulumi.Input[str] | None = None
    wait_for_rates: bool = True
    wait_for_rollout: bool = True
    manage_crd: bool = True
    retain_crd: bool = False
