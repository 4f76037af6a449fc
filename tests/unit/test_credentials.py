"""Whose credentials are taken, and from where: what client-go does with the same files."""

import asyncio
import base64
import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.kubeconfigs import write

from exchangerates import credentials, tokens
from exchangerates.errors import CredentialsError
from exchangerates.tokens import ExecPlugin, TokenFile

NOWHERE = Path("/nonexistent")


def test_paths_are_relative_to_their_file(tmp_path: Path) -> None:
    """Wherever the process was started."""
    user = {"client-certificate": "me.crt", "client-key": "/keys/me.key"}
    file = write(tmp_path / "config", user, **{"certificate-authority": "pki/ca.crt"})
    found = credentials.from_kubeconfig([file])
    assert found.server == "https://192.0.2.1:6443"
    assert found.connection["certificate_path"] == str(tmp_path / "me.crt")
    assert found.connection["private_key_path"] == "/keys/me.key"
    assert found.connection["ca_path"] == str(tmp_path / "pki/ca.crt")
    assert found.connection["default_namespace"] == "shop"


async def test_a_token_file_is_read_when_it_changes_and_wins_over_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is renewed on disk."""
    monkeypatch.setattr(tokens, "LOOK_AGAIN_S", 0.0)
    (tmp_path / "token").write_text("first\n")
    found = credentials.from_kubeconfig([write(tmp_path / "config", {"tokenFile": "token", "token": "old"})])
    assert "token" not in found.connection
    assert found.tokens is not None
    assert await found.tokens.token() == "first"
    (tmp_path / "token").write_text("second\n")
    assert await found.tokens.token() == "second"
    (tmp_path / "token").write_text("third!\n")  # as long as the second
    os.utime(tmp_path / "token", (0, 0))
    assert await found.tokens.token() == "third!"
    (tmp_path / "token").write_text("fourth\n")
    os.utime(tmp_path / "token", (0, 0))
    assert await found.tokens.token() == "third!", "it looks the same"
    found.tokens.refused()
    assert await found.tokens.token() == "fourth"
    (tmp_path / "token").unlink()
    with pytest.raises(CredentialsError, match="cannot be read: No such file"):
        await found.tokens.token()


async def test_a_token_file_is_looked_at_once_in_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each of thousands of requests a second it would cost time; a token that is refused is none any more."""
    monkeypatch.setattr(tokens, "LOOK_AGAIN_S", 3600.0)
    file = TokenFile(tmp_path / "token")
    with pytest.raises(CredentialsError):
        await file.token()
    file.path.write_text("first\n")
    assert await file.token() == "first", "where there was none, it is looked for each time"
    file.path.write_text("second\n")
    assert await file.token() == "first"
    file.refused()
    assert await file.token() == "second"
    monkeypatch.undo()
    file.path.write_text("third\n")
    await asyncio.sleep(tokens.LOOK_AGAIN_S)
    assert await file.token() == "third"


def test_several_files_are_one_and_the_first_word_counts(tmp_path: Path) -> None:
    """A missing file among them is left out, as kubectl does."""
    first = write(tmp_path / "a", {"token": "of-a"}, current=None)
    second = write(tmp_path / "b", {"token": "of-b"})
    found = credentials.from_kubeconfig([tmp_path / "missing", first, second])
    assert found.connection["token"] == "of-a"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("{}", "has no current context", id="empty"),
        pytest.param("current-context: x", "no context 'x'", id="unknown context"),
        pytest.param("current-context: [", "cannot be used: ParserError", id="no YAML"),
        pytest.param("[1]", "cannot be used", id="a list"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_told_by_its_path(tmp_path: Path, text: str, told: str) -> None:
    """And by what is wrong with it."""
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(CredentialsError, match=told) as caught:
        credentials.from_kubeconfig([file])
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        pytest.param({"server": "192.0.2.1:6443"}, "server", id="no scheme"),
        pytest.param({"server": "https://me:secret@192.0.2.1:99999"}, "server", id="no port"),
        pytest.param({"server": "https://"}, "server", id="no host"),
        pytest.param({"proxy-url": "socks5://me:secret@192.0.2.1:1080"}, "proxy-url", id="no HTTP proxy"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_without_its_password(
    tmp_path: Path, cluster: dict[str, str], told: str
) -> None:
    """Before anything is asked there."""
    with pytest.raises(CredentialsError, match=f"the cluster's {told} is no http:// or https:// address") as caught:
        credentials.from_kubeconfig([write(tmp_path / "config", {}, **cluster)])
    assert "secret" not in str(caught.value)


def test_a_named_kubeconfig_goes_before_the_pods_account_and_that_before_the_usual_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a developer can point a process elsewhere, and a Pod never takes a file of its image."""
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("t")
    named = write(tmp_path / "named", {"token": "named"})
    write(tmp_path / ".kube" / "config", {"token": "usual"})
    monkeypatch.setenv("HOME", str(tmp_path))
    service = {"KUBERNETES_SERVICE_HOST": "192.0.2.1", "KUBERNETES_SERVICE_PORT": "443"}
    assert credentials.find({"KUBECONFIG": str(named), **service}, account).connection["token"] == "named"
    in_pod = credentials.find(service, account)
    assert (in_pod.server, in_pod.tokens) == ("https://192.0.2.1:443", TokenFile(account / "token"))
    assert in_pod.connection["ca_path"] == str(account / "ca.crt")
    assert credentials.find({}, NOWHERE).connection["token"] == "usual"
    monkeypatch.setenv("HOME", str(NOWHERE))
    with pytest.raises(CredentialsError, match="set KUBECONFIG, or run in a Pod"):
        credentials.find({}, NOWHERE)


def test_an_address_of_ip_version_6_is_written_as_such(tmp_path: Path) -> None:
    """In brackets."""
    (tmp_path / "token").write_text("t")
    found = credentials.find({"KUBERNETES_SERVICE_HOST": "2001:db8::1", "KUBERNETES_SERVICE_PORT": "443"}, tmp_path)
    assert found.server == "https://[2001:db8::1]:443"


def plugin(tmp_path: Path, answer: str, **raw: object) -> ExecPlugin:
    """Make a plugin that prints an answer and notes what it was told."""
    script = tmp_path / "plugin"
    script.write_text(f'#!/bin/sh\necho "$KUBERNETES_EXEC_INFO" >> {tmp_path}/runs\ncat <<END\n{answer}\nEND\n')
    script.chmod(0o700)
    return ExecPlugin({"apiVersion": "v1", "command": "./plugin", **raw}, tmp_path, {"server": "https://192.0.2.1"})


def answered(**status: str) -> str:
    """Give a plugin's answer."""
    return json.dumps({"kind": "ExecCredential", "apiVersion": "v1", "status": status})


def runs(tmp_path: Path) -> list[dict[str, Any]]:
    """Give what the plugin was told, by run."""
    return [json.loads(line) for line in (tmp_path / "runs").read_text().splitlines()]


@pytest.mark.parametrize(
    ("ends_in_s", "times"), [pytest.param(3600, 1, id="good for an hour"), pytest.param(5, 3, id="about to end")]
)
async def test_a_plugins_token_is_kept_until_it_ends(tmp_path: Path, ends_in_s: int, times: int) -> None:
    """A program per request would be slow."""
    ends = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ends_in_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = plugin(tmp_path, answered(token="t", expirationTimestamp=ends))
    assert [await made.token() for _ in range(3)] == ["t"] * 3
    assert len(runs(tmp_path)) == times


async def test_a_refused_token_is_asked_for_anew(tmp_path: Path) -> None:
    """And a certificate is given where the plugin gives one."""
    made = plugin(tmp_path, answered(token="t", clientCertificateData="c", clientKeyData="k"))
    await made.token()
    made.refused()
    given = await made.credential()
    assert (given.token, given.certificate, given.key, given.expires) == ("t", "c", "k", None)
    assert len(runs(tmp_path)) == 2


async def test_a_plugin_is_told_of_the_cluster_where_it_asks(tmp_path: Path) -> None:
    """With the authority's certificate, also where the kubeconfig has it in a file."""
    (tmp_path / "ca.crt").write_text("PEM")
    script = plugin(tmp_path, answered(token="t"))
    assert await script.token() == "t"
    user = {"exec": {"apiVersion": "v1", "command": "./plugin", "provideClusterInfo": True}}
    found = credentials.from_kubeconfig([write(tmp_path / "config", user, **{"certificate-authority": "ca.crt"})])
    assert found.plugin is not None
    assert await found.plugin.token() == "t"
    without, with_cluster = runs(tmp_path)
    assert without["spec"] == {"interactive": False}
    expected = {
        "server": "https://192.0.2.1:6443",
        "certificate-authority-data": base64.b64encode(b"PEM").decode(),
    }
    assert with_cluster["spec"]["cluster"] == expected


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("secret", id="no JSON"),
        pytest.param("[]", id="no object"),
        pytest.param(
            json.dumps({"kind": "ExecCredential", "apiVersion": "v2", "status": {"token": "s"}}), id="version"
        ),
        pytest.param(answered(), id="nothing"),
        pytest.param(answered(clientCertificateData="c"), id="a certificate without its key"),
        pytest.param(answered(token="secret", expirationTimestamp="soon"), id="no date"),
        pytest.param(answered(token="secret\nsecret"), id="two lines"),
    ],
)
async def test_an_answer_that_is_none_is_told_without_what_was_printed(tmp_path: Path, answer: str) -> None:
    """It may be a secret."""
    with pytest.raises(CredentialsError, match="did not print an ExecCredential of v1") as caught:
        await plugin(tmp_path, answer).token()
    assert "secret" not in str(caught.value)


async def test_a_plugin_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    """They say what to do, such as to log in again."""
    script = tmp_path / "plugin"
    script.write_text("#!/bin/sh\necho please log in >&2\nexit 3\n")
    script.chmod(0o700)
    with pytest.raises(CredentialsError, match="ended with 3: please log in"):
        await ExecPlugin({"apiVersion": "v1", "command": str(script)}, tmp_path, {}).token()


async def test_what_a_plugin_or_a_file_has_wrong_is_told(tmp_path: Path) -> None:
    """An end without its zone, a token that is no text, an authority that is not there."""
    with pytest.raises(CredentialsError, match="did not print an ExecCredential"):
        await plugin(tmp_path, answered(token="t", expirationTimestamp="2026-10-30T12:00:00")).token()
    for content in (b"\xff\xfe", b"one\ntwo\n", b"one two", "über".encode(), b"one\x00", b"\n"):
        (tmp_path / "token").write_bytes(content)
        with pytest.raises(CredentialsError, match="cannot be read: it does not hold one token and nothing else"):
            await TokenFile(tmp_path / "token").token()
    with pytest.raises(CredentialsError, match="the user's token is no single word") as caught:
        credentials.from_kubeconfig([write(tmp_path / "config", {"token": "secret\nsecret"})])
    assert "secret" not in str(caught.value)
    user = {"exec": {"apiVersion": "v1", "command": "./plugin", "provideClusterInfo": True}}
    with pytest.raises(CredentialsError, match="cannot be used: FileNotFoundError"):
        credentials.from_kubeconfig([write(tmp_path / "config", user, **{"certificate-authority": "missing.crt"})])
