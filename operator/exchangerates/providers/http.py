"""One HTTP GET to a rate provider, that cannot hang, flood memory, wander off, or tell a key.

Errors are short texts without addresses: the key of one provider is part of the address.
"""

import json
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NoReturn
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

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


def get(url: str, params: Mapping[str, str]) -> tuple[int, bytes]:
    """Fetch an address and give the HTTP status with the body; a status of 429 or from 500 is an error already.

    Raises:
        FetchError: No answer, a late, oversized or redirected one, or one that says to come back later.
    """
    deadline = time.monotonic() + DEADLINE_S
    try:
        with requests.Session() as session:
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
                    _refuse_come_back_later(response)
                    return response.status_code, _body(response, deadline)
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        raise FetchError("timed out") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise FetchError(f"the connection failed ({type(error).__name__})") from None
    raise FetchError(f"more than {MAX_REDIRECTS} redirects")


def json_object(body: bytes) -> Any:  # noqa: ANN401 - JSON is what it is
    """Decode JSON with every number as a Decimal of the digits that were sent.

    Raises:
        FetchError: It is not JSON, or holds NaN or Infinity.
    """
    try:
        return json.loads(body, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise FetchError("the answer is not JSON") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _redirected(response: requests.Response) -> str:
    before = urlsplit(response.url)
    target = urljoin(response.url, response.headers["Location"])
    after = urlsplit(target)
    if after.hostname != before.hostname or after.scheme not in ("https", before.scheme):
        raise FetchError("redirected to another host or to plain HTTP")
    return target


def _refuse_come_back_later(response: requests.Response) -> None:
    status = response.status_code
    if status == requests.codes.too_many_requests or status >= requests.codes.server_error:
        after = response.headers.get("Retry-After", "")
        raise FetchError(f"HTTP {status}", retry_after_s=float(after) if after.isdecimal() else None)


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
