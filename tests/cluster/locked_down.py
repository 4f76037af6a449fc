"""A company's network: its own certificate authority, servers with its certificates, and the proxy that leads out."""

import base64
import datetime as dt
import ipaddress
import select
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_VALID: Final = dt.timedelta(days=1)
_CHUNK: Final = 65536


class Authority:
    """A certificate authority that nobody but its company trusts.

    Args:
        directory: Where its certificate and those of its servers are written.
        name: Its name.

    Attributes:
        file: Its certificate, PEM.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(self._name, self._key.public_key(), x509.BasicConstraints(ca=True, path_length=0))
        self.file = directory / f"{name}.crt"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server_context(self, *names: str) -> ssl.SSLContext:
        """Give a server's context with a certificate for host names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        certificate = self._sign(subject, key.public_key(), alternatives)
        file = self._directory / f"{names[0]}.pem"
        file.touch(mode=0o600)
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _sign(
        self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _VALID)
            .not_valid_after(now + _VALID)
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class ForwardProxy(ThreadingHTTPServer):
    """An HTTP proxy on loopback that tunnels to the hosts it knows; a context manager that serves while it is open.

    Args:
        hosts: Where each `host:port` really is; others are refused, as a company's proxy does.
        credentials: `user:password` that it asks for; empty for none.

    Attributes:
        asked: Every `host:port` that somebody asked for.
        url: Its address.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, hosts: dict[str, tuple[str, int]], credentials: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.hosts = hosts
        self.expected = f"Basic {base64.b64encode(credentials.encode()).decode()}" if credentials else None
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Tunnel(BaseHTTPRequestHandler):
    server: ForwardProxy

    def log_message(self, *_: object) -> None:
        """Stay quiet."""

    def do_CONNECT(self) -> None:
        if self.headers.get("Proxy-Authorization") != self.server.expected:
            self.send_response(407)
            self.send_header("Proxy-Authenticate", 'Basic realm="company"')
            self.end_headers()
            return
        self.server.asked.append(self.path)
        target = self.server.hosts.get(self.path)
        if target is None:
            self.send_error(403)
            return
        with socket.create_connection(target) as upstream:
            self.send_response(200)
            self.end_headers()
            _carry(self.connection, upstream)
        self.close_connection = True


def _carry(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until a side is through."""
    peers = {one: other, other: one}
    while True:
        for ready in select.select([one, other], [], [])[0]:
            chunk = ready.recv(_CHUNK)
            if not chunk:
                return
            peers[ready].sendall(chunk)
