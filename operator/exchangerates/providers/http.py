"""One HTTP GET to a rate provider, that cannot hang, flood memory, wander off, or tell a key.

Errors are short texts without addresses: the key of one provider is part of the address. The way there comes from the
environment: the proxies, as everywhere, from HTTPS_PROXY, HTTP_PROXY and NO_PROXY, and private certificate authorities
from `api.Env.CA_FILE`.
"""

import json
import os
import time
import zlib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any, Final, NoReturn
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from exchangerates.api import Env
from exchangerates.errors import FetchError
from exchangerates.providers.connections import Deadline, session_until

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 10.0
"""The longest silence between two bytes."""
DEADLINE_S: Final = 20.0
"""For the whole call, headers, redirects and body included."""
MAX_BODY_BYTES: Final = 2 * 1024 * 1024
MAX_REDIRECTS: Final = 3

_CHUNK_BYTES: Final = 64 * 1024
_HEADERS: Final = {"User-Agent": "exchange-rate-operator", "Accept-Encoding": "gzip"}
_GZIP: Final = 31
"""zlib's word for a window of 32 KiB in a gzip file (RFC 1952)."""


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
    deadline = Deadline()
    try:
        with session_until(deadline, DEADLINE_S, os.environ.get(Env.CA_FILE)) as session:
            for _ in range(MAX_REDIRECTS + 1):
                with session.get(
                    url,
                    params=params,
                    headers=_HEADERS,
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
        if deadline.passed:
            raise FetchError("timed out") from None
        raise FetchError(f"the connection failed ({type(error).__name__})") from None
    raise FetchError(f"more than {MAX_REDIRECTS} redirects")


def json_object(body: bytes) -> Any:  # noqa: ANN401 - JSON is what it is
    """Decode JSON with every number as a Decimal of the digits that were sent.

    Raises:
        FetchError: It is not JSON, holds NaN, Infinity or a number that not even a Decimal can have, or says something
            twice: which of the two is right?
    """
    try:
        return json.loads(
            body,
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_refuse_double,
        )
    except (ValueError, RecursionError, InvalidOperation):
        raise FetchError("the answer is not JSON") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _refuse_double(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise FetchError("the answer has a key twice")
    return found


def _redirected(response: requests.Response) -> str:
    try:
        before = urlsplit(response.url)
        target = urljoin(response.url, response.headers["Location"])
        after = urlsplit(target)
    except ValueError:
        raise FetchError("redirected to what is no address") from None
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
    except (ValueError, OverflowError):
        return None


def _body(response: requests.Response, deadline: Deadline) -> bytes:
    """Read the body as it is sent, and unpack it afterwards: a decoder that is fed may give nothing for ever.

    `read1` returns what is there, so that a slow drip meets the deadline.
    """
    chunks, size = [], 0
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=False):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _too_large()
    if deadline.passed:
        raise FetchError("timed out")
    return _unpacked(b"".join(chunks), response.headers.get("Content-Encoding", "identity"))


def _unpacked(body: bytes, encoding: str) -> bytes:
    """Unpack a body to its full size at most; one that is packed more than once, or not whole, is refused."""
    if encoding.lower() == "identity":
        return body
    if encoding.lower() != "gzip":
        raise FetchError("the answer is packed in a way that was not asked for")
    packed = zlib.decompressobj(wbits=_GZIP)
    try:
        unpacked = packed.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise FetchError("the answer is packed wrongly") from None
    if len(unpacked) > MAX_BODY_BYTES:
        raise _too_large()
    if not packed.eof:
        raise FetchError("the answer is cut short")
    return unpacked


def _too_large() -> FetchError:
    return FetchError(f"the answer is larger than {MAX_BODY_BYTES} bytes")
