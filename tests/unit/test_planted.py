"""The search for the planted API key finds it in every form, and nothing else."""

import base64
import json
from urllib.parse import quote, urlencode

import pytest
from tests.cluster import planted


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"GET /v1/latest?access_key={planted.KEY}", id="plain"),
        pytest.param(urlencode({"access_key": planted.REFUSED_KEY}), id="in a query"),
        pytest.param(f"http://me:{quote(planted.KEY, safe='').lower()}@proxy", id="in an address"),
        pytest.param(json.dumps({"key": planted.KEY}), id="in JSON"),
        pytest.param(repr(planted.KEY.encode()), id="as Python prints it"),
        pytest.param(planted.KEY.encode().hex(), id="in hexadecimal"),
        *(
            pytest.param(encode(f"{before}{planted.KEY}{after}".encode()).decode(), id=f"{before}base64{after}")
            for encode in (base64.b64encode, base64.urlsafe_b64encode)
            for before in ("", "a", "ab", "app_id=")
            for after in ("", "\n", "-and-more")
        ),
    ],
)
def test_the_key_is_found(text: str) -> None:
    """Whatever it was made of on its way."""
    assert planted.told(text)
    assert planted.in_texts([("the log", text), ("another", "nothing")]) == ["the log"]


def test_what_is_not_the_key_is_not_found() -> None:
    """A log line, and another key."""
    assert not planted.told("rate provider ecb: HTTP 401; access refused (invalid_access_key), stand-in-key, planted")
