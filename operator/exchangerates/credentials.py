"""Who the operator is to the API server: the user of the kubeconfig's current context, or the Pod's service account.

A kubeconfig is read as client-go does: several files are merged, the first word counts, and paths are relative to their
file. Kopf's own reader knows neither that nor token files and exec plugins.
"""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from yarl import URL

from exchangerates.errors import CredentialsError
from exchangerates.tokens import ExecPlugin, TokenFile, TokenSource, is_token

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to reach one API server, and as whom.

    Attributes:
        server: Its address.
        connection: Further parts, by the names of `kopf.ConnectionInfo`.
        tokens: Where the bearer token comes from, or None.
        plugin: The exec plugin, which may give a client certificate too, or None.
    """

    server: str
    connection: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tokens: TokenSource | None = None
    plugin: ExecPlugin | None = None


def find(environment: Mapping[str, str] = os.environ, account: Path = SERVICE_ACCOUNT) -> Credentials:
    """Give the credentials of `$KUBECONFIG`, else of the Pod's service account, else of `~/.kube/config`.

    Raises:
        CredentialsError: There are none, or they cannot be used.
    """
    named = environment.get("KUBECONFIG", "")
    if named:
        return from_kubeconfig([Path(part).expanduser() for part in named.split(os.pathsep) if part])
    if (account / "token").exists():
        return _from_service_account(environment, account)
    usual = Path("~/.kube/config").expanduser()
    if usual.exists():
        return from_kubeconfig([usual])
    raise CredentialsError("no credentials for an API server: set KUBECONFIG, or run in a Pod with a service account")


def from_kubeconfig(paths: list[Path]) -> Credentials:
    """Give the credentials of the current context; files that are not there are left out, as kubectl does.

    Raises:
        CredentialsError: They cannot be used.
    """
    where = os.pathsep.join(map(str, paths))
    try:
        files = {path: yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in paths if path.exists()}
        current = next(config["current-context"] for config in files.values() if config.get("current-context"))
        context, _ = _named(files, "context", current)
        cluster, cluster_file = _named(files, "cluster", str(context["cluster"]))
        user, user_file = _named(files, "user", str(context["user"]))
        server = str(cluster["server"])
        told = _exec_cluster(cluster, cluster_file) if user.get("exec") else {}
    except StopIteration:
        raise CredentialsError(
            f"kubeconfig {where} has no current context; set it by `kubectl config use-context`"
        ) from None
    except (OSError, UnicodeDecodeError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise CredentialsError(
            f"kubeconfig {where} cannot be used: {type(error).__name__}: {error}; correct it, or name "
            "another in KUBECONFIG"
        ) from error
    proxy = cluster.get("proxy-url") or None
    for name, address in (("server", server), ("proxy-url", proxy)):
        if address is not None and not _is_address(str(address)):
            raise CredentialsError(
                f"kubeconfig {where} cannot be used: the cluster's {name} is no http:// or https:// address; correct it"
            )
    connection = {
        **_file_or_data(cluster, "certificate-authority", cluster_file, "ca"),
        **_file_or_data(user, "client-certificate", user_file, "certificate"),
        **_file_or_data(user, "client-key", user_file, "private_key"),
        "insecure": cluster.get("insecure-skip-tls-verify"),
        "proxy_url": proxy,
        "username": user.get("username"),
        "password": user.get("password"),
        "default_namespace": context.get("namespace"),
    }
    if user.get("tokenFile"):
        return Credentials(server, connection, TokenFile(user_file.parent / str(user["tokenFile"])))
    if user.get("exec"):
        plugin = ExecPlugin(user["exec"], user_file.parent, told)
        return Credentials(server, connection, plugin, plugin)
    if user.get("token") and not is_token(user["token"]):
        raise CredentialsError(f"kubeconfig {where} cannot be used: the user's token is no single word; correct it")
    return Credentials(server, {**connection, "token": user.get("token")})


def _from_service_account(environment: Mapping[str, str], account: Path) -> Credentials:
    host, port = (environment.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    server = f"https://{f'[{host}]' if ':' in host else host}:{port}" if host else "https://kubernetes.default.svc"
    return Credentials(server, {"ca_path": str(account / "ca.crt")}, TokenFile(account / "token"))


def _is_address(text: str) -> bool:
    try:
        url = URL(text)
    except ValueError:
        return False
    return url.scheme in {"http", "https"} and bool(url.raw_host)


def _named(files: Mapping[Path, Any], kind: str, name: str) -> tuple[Mapping[str, Any], Path]:
    """Give what the first file says that knows the name, and the file."""
    for path, config in files.items():
        for item in config.get(f"{kind}s") or ():
            if item["name"] == name:
                return item.get(kind) or {}, path
    raise KeyError(f"no {kind} {name!r}")


def _file_or_data(raw: Mapping[str, Any], name: str, file: Path, field_name: str) -> dict[str, str]:
    if raw.get(f"{name}-data"):
        return {f"{field_name}_data": str(raw[f"{name}-data"])}
    return {f"{field_name}_path": str(file.parent / str(raw[name]))} if raw.get(name) else {}


def _exec_cluster(cluster: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """Give what a plugin is told of the cluster where it asks for it."""
    told = {
        name: cluster[name]
        for name in ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")
        if name in cluster
    }
    if "certificate-authority" in cluster and "certificate-authority-data" not in told:
        content = (file.parent / str(cluster["certificate-authority"])).read_bytes()
        told["certificate-authority-data"] = base64.b64encode(content).decode()
    extensions = {item["name"]: item.get("extension") for item in cluster.get("extensions") or ()}
    config = extensions.get("client.authentication.k8s.io/exec")
    return told if config is None else {**told, "config": config}
