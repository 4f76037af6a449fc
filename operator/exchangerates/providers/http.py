"""One HTTP GET to a rate provider, that cannot hang, flood memory, wander off, or tell a key.

Errors are short texts without addresses: the key of one provider is part of the address. The way there comes from the
environment: the proxies, as everywhere, from HTTPS_PROXY, HTTP_PROXY and NO_PROXY, and private certificate authorities
from `api.Env.CA_FILE`.
"""

import json
import os
import ssl
import time
from collections.abc import Mapping
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Final, NoReturn
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context

from exchangerates.api import Env
from exchangerates.errors import FetchError

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 10.0
"""The longest silence between two bytes."""
DEADLINE_S: Final = 20.0
"""For the whole call, redirects and body included."""
MAX_BODY_BYTES: Final = 2 * 1024 * 1024
MAX_REDIRECTS: Final = 3

_CHUNK_BYTES: Final = 64 * 1024
_USER_AGENT: Final = "exchange-rate-operator"


def get(url: str, params: Mapping[str, str], *, too_many: type[FetchError] = FetchError) -> tuple[int, bytes]:
    """Fetch an address and give the HTTP status with the body; a status of 429 or from 500 is an error already.

    Args:
        url: The address.
        params: The parameters of its query.
        too_many: The error for 429. The plan of a provider with a key has few calls, and 429 says that they are used
            up: `AccessRefused`.

    Raises:
        FetchError: No answer, a late, oversized or redirected one, or one that says to come back later.
    """
    deadline = time.monotonic() + DEADLINE_S
    try:
        with _session() as session:
            for _ in range(MAX_REDIRECTS + 1):
                with session.get(
                    url,
                    params=params,
                    headers={"User-Agent": _USER_AGENT},
                    timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    if response.is_redirect:
                        url, params = _redirected(response), {}
                        continue
                    _refuse_come_back_later(response, too_many)
                    return response.status_code, _body(response, deadline)
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        raise FetchError("timed out") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise FetchError(f"the connection failed ({type(error).__name__})") from None
    raise FetchError(f"more than {MAX_REDIRECTS} redirects")


class _PrivateAuthorities(HTTPAdapter):
    """Trusts the authorities of a context besides the public ones, which `requests` adds to it for each connection.

    REQUESTS_CA_BUNDLE would have them trusted instead: a private first provider and a public fallback need both.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the library has it
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401 - as the library has it
        contexts = {"ssl_context": self._context, "proxy_ssl_context": self._context}
        return super().proxy_manager_for(proxy, **contexts, **kwargs)


def _session() -> requests.Session:
    session = requests.Session()
    if ca_file := os.environ.get(Env.CA_FILE):
        context = create_urllib3_context()
        context.load_verify_locations(ca_file)
        session.mount("https://", _PrivateAuthorities(context))
    return session


def json_object(body: bytes) -> Any:  # noqa: ANN401 - JSON is what it is
    """Decode JSON with every number as a Decimal of the digits that were sent.

    Raises:
        FetchError: It is not JSON, holds NaN or Infinity, or says something twice: which of the two is right?
    """
    try:
        return json.loads(
            body,
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_refuse_double,
        )
    except (ValueError, RecursionError):
        raise FetchError("the answer is not JSON") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _refuse_double(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise FetchError("the answer has a key twice")
    return found


def _redirected(response: requests.Response) -> str:
    before = urlsplit(response.url)
    target = urljoin(response.url, response.headers["Location"])
    after = urlsplit(target)
    if after.hostname != before.hostname or after.scheme not in ("https", before.scheme):
        raise FetchError("redirected to another host or to plain HTTP")
    return target


def _refuse_come_back_later(response: requests.Response, too_many: type[FetchError]) -> None:
    status, retry_after_s = response.status_code, _seconds(response.headers.get("Retry-After", ""))
    if status == requests.codes.too_many_requests:
        raise too_many("HTTP 429, too many calls", retry_after_s=retry_after_s)
    if status >= requests.codes.server_error:
        raise FetchError(f"HTTP {status}", retry_after_s=retry_after_s)


def _seconds(retry_after: str) -> float | None:
    """Read `Retry-After` in both of its forms, a number of seconds and a date (RFC 9110, section 10.2.3)."""
    if retry_after.isdecimal() and retry_after.isascii():
        return float(retry_after)
    try:
        return max(parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def _body(response: requests.Response, deadline: float) -> bytes:
    """Read the body bit by bit: `read1` returns what is there, so that a slow drip meets the deadline."""
    chunks, size = [], 0
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise FetchError(f"the answer is larger than {MAX_BODY_BYTES} bytes")
        if time.monotonic() > deadline:
            raise FetchError("timed out")
    return b"".join(chunks)
