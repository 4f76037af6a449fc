"""The operator's image: an existing one, or one that is built from `operator/Dockerfile`."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_docker_build as docker_build

from exchangerates_infra.args import ImageArgs

CONTEXT: Final = "../operator"
"""Relative to the program's directory: an absolute path would make a rebuild on every machine."""
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
    cache = f"{args.repository}:buildcache"
    image = docker_build.Image(
        f"{name}-image",
        context=docker_build.BuildContextArgs(location=CONTEXT),
        dockerfile=docker_build.DockerfileArgs(location=f"{CONTEXT}/Dockerfile"),
        build_args={"BASE_IMAGE": args.base_image} if args.base_image else None,
        platforms=[docker_build.Platform(platform) for platform in args.platforms] or None,
        builder=docker_build.BuilderConfigArgs(name=args.builder) if args.builder else None,
        tags=[tag],
        push=pushed,
        load=not pushed,
        cache_from=[{"registry": {"ref": cache}}] if pushed else None,
        cache_to=[{"registry": {"ref": cache, "mode": docker_build.CacheMode.MAX}}] if pushed else None,
        build_on_preview=False,
        # What is running in production must not be deleted from the registry with the stack.
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(retain_on_delete=pushed)),
    )
    return OperatorImage(image.ref if pushed else tag, image.digest)
