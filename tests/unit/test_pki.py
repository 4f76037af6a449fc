"""Certificates that every supported Python takes, made once and again before they end."""

import datetime as dt
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localcluster.pki import Pki


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """A fresh set of files."""
    made = Pki(tmp_path / "pki")
    made.ensure()
    return made


def strict(context: ssl.SSLContext) -> ssl.SSLContext:
    """Check as Python 3.13 and newer do by default."""
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "192.0.2.1", "kubernetes.default.svc"])
def test_server_and_clients_are_taken_by_a_strict_check(pki: Pki, name: str) -> None:
    """Both sides verify each other, under each name that the API server is called by."""
    server = strict(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki.authority)))
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(pki.serving, pki.serving_key)
    for certificate, key in ((pki.admin, pki.admin_key), (pki.controller_manager, pki.controller_manager_key)):
        client = strict(ssl.create_default_context(cafile=str(pki.authority)))
        client.load_cert_chain(certificate, key)
        ours, theirs = socket.socketpair()
        with ours, theirs, ThreadPoolExecutor() as threads:
            accepted = threads.submit(server.wrap_socket, theirs, server_side=True)
            with client.wrap_socket(ours, server_hostname=name), accepted.result(30.0) as connection:
                assert connection.getpeercert()


def test_a_second_run_makes_nothing_anew(pki: Pki) -> None:
    """Kubeconfigs that were copied stay true."""
    before = {path: path.read_bytes() for path in pki.authority.parent.iterdir()}
    pki.ensure()
    assert {path: path.read_bytes() for path in pki.authority.parent.iterdir()} == before


def test_certificates_are_made_again_before_they_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty days are too few."""
    pki = Pki(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("localcluster.pki._VALID", dt.timedelta(days=20))
        pki.ensure()
    before = pki.serving.read_bytes()
    pki.ensure()
    assert pki.serving.read_bytes() != before


@pytest.mark.parametrize("name", ["admin.key", "serving.crt", "complete"])
def test_an_incomplete_directory_is_made_again(pki: Pki, name: str) -> None:
    """A removed file, or a run that was interrupted, is no reason to fail."""
    (pki.authority.parent / name).unlink()
    before = pki.authority.read_bytes()
    pki.ensure()
    assert pki.authority.read_bytes() != before
    assert (pki.authority.parent / name).exists()


def test_keys_are_for_their_owner_only(pki: Pki) -> None:
    """Nobody else on the machine becomes an administrator."""
    for key in (pki.serving_key, pki.admin_key, pki.controller_manager_key, pki.accounts_key):
        assert key.stat().st_mode & 0o777 == 0o600
