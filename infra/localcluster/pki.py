"""The control plane's certificates and keys: one authority, made once per directory and good for ten years.

They carry the extensions that RFC 5280 asks for: from Python 3.13 on, clients refuse certificates without them.
"""

import datetime as dt
import ipaddress
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVICE_RANGE: Final = "192.0.2.0/24"
"""A documentation range: it collides with nobody's network."""
_VALID: Final = dt.timedelta(days=3650)
_RENEWED_BEFORE: Final = dt.timedelta(days=30)
_DNS_NAMES: Final = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
_ADDRESSES: Final = ("127.0.0.1", "192.0.2.1")

_PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Pki:
    """The files of one control plane, PEM, readable by their owner only.

    Attributes:
        authority: The certificate of the authority, which signs servers and clients.
        serving: The API server's certificate, with `serving_key`.
        admin: The certificate of a client in `system:masters`, with `admin_key`.
        controller_manager: The certificate of the controller manager's client, with `controller_manager_key`.
        accounts_key: The key that signs service accounts' tokens.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.authority = directory / "authority.crt"
        self.serving, self.serving_key = directory / "serving.crt", directory / "serving.key"
        self.admin, self.admin_key = directory / "admin.crt", directory / "admin.key"
        self.controller_manager = directory / "controller-manager.crt"
        self.controller_manager_key = directory / "controller-manager.key"
        self.accounts_key = directory / "accounts.key"

    def ensure(self) -> None:
        """Make everything, unless it is there and good for another month."""
        # The marker is written last: without it the directory is half made.
        marker = self._directory / "complete"
        if marker.exists() and self._is_good():
            return
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        marker.unlink(missing_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        authority = _certificate("localcluster", None, key.public_key(), key, None, ())
        _write_certificate(self.authority, authority)
        for name, organisation, certificate, key_file in (
            ("kube-apiserver", None, self.serving, self.serving_key),
            ("localcluster-admin", "system:masters", self.admin, self.admin_key),
            ("system:kube-controller-manager", None, self.controller_manager, self.controller_manager_key),
        ):
            own = ec.generate_private_key(ec.SECP256R1())
            usage = ExtendedKeyUsageOID.SERVER_AUTH if name == "kube-apiserver" else ExtendedKeyUsageOID.CLIENT_AUTH
            names = _server_names() if name == "kube-apiserver" else ()
            signed = _certificate(name, organisation, own.public_key(), key, authority, names, usage)
            _write_certificate(certificate, signed)
            _write_key(key_file, own)
        _write_key(self.accounts_key, rsa.generate_private_key(public_exponent=65537, key_size=2048))
        marker.touch()

    def _is_good(self) -> bool:
        until = dt.datetime.now(dt.UTC) + _RENEWED_BEFORE
        certificates = (self.authority, self.serving, self.admin, self.controller_manager)
        keys = (self.serving_key, self.admin_key, self.controller_manager_key, self.accounts_key)
        try:
            ends = [x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc for path in certificates]
        except (OSError, ValueError):
            return False
        return min(ends) > until and all(key.exists() for key in keys)


def _server_names() -> tuple[x509.GeneralName, ...]:
    addresses = (x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES)
    return (*(x509.DNSName(name) for name in _DNS_NAMES), *addresses)


def _certificate(  # noqa: PLR0913, PLR0917 - a certificate has this many parts
    name: str,
    organisation: str | None,
    public_key: ec.EllipticCurvePublicKey,
    signing_key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate | None,
    names: tuple[x509.GeneralName, ...],
    usage: x509.ObjectIdentifier | None = None,
) -> x509.Certificate:
    """Sign a certificate; without an authority it is one itself."""
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if organisation is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    subject, now = x509.Name(attributes), dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if authority is None else authority.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        .add_extension(_key_usage(signs=authority is None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(signing_key, hashes.SHA256())


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write_certificate(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _write_key(path: Path, key: _PrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
