"""The operator's image: an existing one, or one that is built from `operator/Dockerfile`."""

from dataclasses import dataclass
from typing import Final, cast

import pulumi
import pulumi_docker_build as docker_build

from exchangerates_infra.args import ImageArgs

LOCAL_NAME: Final = "exchange-rate-operator"


@dataclass(frozen=True)
class OperatorImage:
    """What the Deployment needs to know.

    Attributes:
        ref: The reference to run; by digest where the image was pushed.
        digest: What changes with the content, so that a rebuilt image rolls the Pod; None for an existing one.
    """

    ref: pulumi.Input[str]
    digest: pulumi.Input[str] | None


def operator_image(name: str, args: ImageArgs, opts: pulumi.ResourceOptions) -> OperatorImage:
    """Register the build where one is needed."""
    if args.ref is not None:
        return OperatorImage(args.ref, None)
    pushed = args.repository is not None
    tag = f"{args.repository or LOCAL_NAME}:{args.tag}"
    image = docker_build.Image(
        f"{name}-image",
        context=docker_build.BuildContextArgs(location=args.context),
        dockerfile=docker_build.DockerfileArgs(location=f"{args.context}/Dockerfile"),
        build_args=_build_args(args) or None,
        platforms=[docker_build.Platform(platform) for platform in args.platforms] or None,
        builder=docker_build.BuilderConfigArgs(name=args.builder) if args.builder else None,
        tags=[tag],
        push=pushed,
        load=not pushed,
        cache_from=[_cache_from(args.repository)] if args.repository else None,
        cache_to=[_cache_to(args.repository)] if args.repository else None,
        build_on_preview=False,
        # What is running in production must not be deleted from the registry with the stack.
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(retain_on_delete=pushed)),
    )
    digest = image.digest.apply(_as_known) if pulumi.runtime.is_dry_run() else image.digest
    return OperatorImage(digest.apply(lambda _: image.ref) if pushed else tag, digest)


def _as_known(digest: str) -> str:
    """Give a preview's digest: of an image that is to be built anew the provider says that it has none."""
    return digest or cast("str", pulumi.UNKNOWN)


def _build_args(args: ImageArgs) -> dict[str, str]:
    """Give the Dockerfile's arguments, and BuildKit's own for attestations: the resource has no inputs for those."""
    values = {"BASE_IMAGE": args.base_image} if args.base_image else {}
    if args.provenance:
        values["BUILDKIT_ATTEST_PROVENANCE"] = "mode=max"
    if args.sbom:
        values["BUILDKIT_ATTEST_SBOM"] = f"generator={args.sbom}"
    return values


def _cache_ref(repository: str) -> str:
    return f"{repository}:buildcache"


def _cache_from(repository: str) -> docker_build.CacheFromArgs:
    return docker_build.CacheFromArgs(registry=docker_build.CacheFromRegistryArgs(ref=_cache_ref(repository)))


def _cache_to(repository: str) -> docker_build.CacheToArgs:
    registry = docker_build.CacheToRegistryArgs(
        ref=_cache_ref(repository),
        mode=docker_build.CacheMode.MAX,
        # As an image's manifest, which every registry takes; and a cache that is not kept is no reason to fail.
        image_manifest=True,
        oci_media_types=True,
        ignore_error=True,
    )
    return docker_build.CacheToArgs(registry=registry)
