"""Requests to the API server on a session that is given, and lists in pages.

Errors of the API server become `ApiError`, of the way there `ApiUnreachable`. Nothing is retried here.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import orjson

from exchangerates.bodies import encoded
from exchangerates.errors import ApiError, ApiUnreachable
from exchangerates.roundtrip import TooLarge
from exchangerates.session import Session

PAGE_SIZE: Final = 500
MAX_PAGE_BYTES: Final = 8 * 1024 * 1024
"""Of a page of a list, four times what is usual; what anybody may write can be a thousand times as large."""
WATCHES_GO_BACK_S: Final = 60.0
"""To how old a list a watch can surely be joined: an API server keeps at least the events of 75 seconds."""
_JSON: Final = {"Content-Type": "application/json"}
TIMEOUT_S: Final = 30.0
"""For one request, with the wait for its token."""


class Connection:
    """A way to one API server. `connect` gives it a session, also anew; until then every request waits."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._connected = asyncio.Event()
        self._listed: dict[str, tuple[str, float]] = {}
        """The resource versions of the last lists, and when these began, by the path of their address."""

    def connect(self, session: Session) -> None:
        """Use this session, in place of an earlier one, which stays its maker's to close."""
        self._session = session
        self._listed.clear()
        self._connected.set()

    def disconnect(self) -> None:
        """Let calls wait for the next session: this one is being closed."""
        self._connected.clear()

    async def items(self, path: str, params: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        """Give what a list has, page by page: of large objects there are fewer on each."""
        token, size, finalized, began = "", PAGE_SIZE, False, _now()
        self._listed.pop(self._path_of(path), None)
        while True:
            page = {**params, "limit": str(size), **({"continue": token} if token else {})}
            try:
                answer = await self.request("GET", path, params=page, most=MAX_PAGE_BYTES if size > 1 else None)
            except TooLarge:
                size = max(size // 8, 1)
                continue
            for item in answer["items"]:
                finalized = finalized or "finalizers" in item["metadata"]
                yield item
            token = answer["metadata"].get("continue", "")
            if not token:
                if not finalized:
                    self._listed[self._path_of(path)] = (answer["metadata"]["resourceVersion"], began)
                return
            size = min(2 * size, PAGE_SIZE)

    def listed_at(self, path: str) -> str | None:
        """Give the resource version of a list that was made just now, once; None where something in it has finalizers.

        Args:
            path: Of the list's address, without the query.
        """
        version, began = self._listed.pop(path, (None, 0.0))
        return version if _now() - began < WATCHES_GO_BACK_S else None

    def _path_of(self, path: str) -> str:
        return path if self._session is None else self._session.trips.path + path

    async def request(  # noqa: PLR0913 - a request has these parts
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = _JSON,
        most: int | None = None,
    ) -> dict[str, Any]:
        """Make one request, and give the answer's JSON.

        Args:
            method: Such as GET.
            path: On the server.
            body: Sent as JSON.
            params: The query.
            headers: Beside those of the session; also the content's type.
            most: How many bytes the answer may have, or None.

        Raises:
            ApiError: The API server answered with an error, or did not answer.
            TooLarge: The answer has more bytes than it may.
        """
        await self._connected.wait()
        session = self._session
        if session is None or session.client.closed:
            raise ApiUnreachable("the session is being renewed")
        target = f"{path}?{urlencode(params)}" if params else path
        data = b"" if body is None else encoded(body)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status, text = await session.request(method, target, headers, data, most=most)
        except TimeoutError as error:
            raise ApiUnreachable(f"no answer from the API server within {TIMEOUT_S:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            cause = " ".join(str(error).split()) or type(error).__name__  # aiohttp's may have several lines
            raise ApiUnreachable(f"no answer from the API server: {cause}") from error
        return _decoded(status, text)


def _decoded(status: int, text: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(text)
    except ValueError:
        answer = {"message": text[:200].decode(errors="replace").strip()}
        if status < HTTPStatus.BAD_REQUEST:
            status = HTTPStatus.BAD_GATEWAY  # who answers so well, but not in JSON, is no API server
    if not isinstance(answer, dict) or status >= HTTPStatus.BAD_REQUEST:
        raise ApiError(status, answer if isinstance(answer, dict) else {})
    return answer


def _now() -> float:
    return asyncio.get_running_loop().time()
