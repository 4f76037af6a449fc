"""The API key that is planted wherever a test may plant one, and the search for it after every test.

It may be in Secrets alone. Where else it is, in whatever form, somebody could read it: a log, an event, a status, a
ConfigMap, a metric, a file, what pytest shows of a failed test, a Pulumi program's resources and outputs.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, quote_plus

from exchangerates.api import API_VERSION, KIND
from exchangerates_infra.recorder import Recording
from localcluster.client import Client
from localcluster.errors import ApiError, LocalClusterError

KEY: Final = "planted/7f3a+key=9c51-of-the-tests"
"""With characters that look otherwise in an address."""
REFUSED_KEY: Final = f"{KEY}-refused"
"""One that the stand-in does not take."""
SEEN: Final[list[Recording]] = []
"""The Pulumi programs that ran since the last search."""
_MAX_FILE_BYTES: Final = 16 * 1024 * 1024
_LISTED: Final = (("v1", "ConfigMap"), ("v1", "Event"), (API_VERSION, KIND))


def _forms() -> Iterator[bytes]:
    """Give the key as it is, as an address has it, as JSON and Python print it, and in base64, wherever it begins."""
    core = KEY.encode()
    texts = {KEY, quote(KEY), quote(KEY, safe=""), quote_plus(KEY), json.dumps(KEY)[1:-1], core.hex()}
    yield from (text.encode() for text in texts)
    yield from (text.lower().encode() for text in texts)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # Of the first and the last character of base64 other bytes may have a part.
            whole = encode(b"\0" * before + core)
            yield whole[-(-before * 8 // 6) : len(whole) - 4]


FORMS: Final = frozenset(_forms())


def told(text: str | bytes) -> bool:
    """Tell whether a text has the key in it."""
    found = text.encode(errors="replace") if isinstance(text, str) else text
    return any(form in found for form in FORMS)


def in_texts(texts: Iterable[tuple[str, str]]) -> list[str]:
    """Name the texts that have the key in them."""
    return [name for name, text in texts if told(text)]


def in_files(directory: Path) -> list[str]:
    """Name the files below a directory that have it."""
    files = (path for path in directory.rglob("*") if path.is_file() and path.stat().st_size <= _MAX_FILE_BYTES)
    return [str(path.relative_to(directory)) for path in files if told(path.read_bytes())]


def in_cluster(client: Client) -> list[str]:
    """Name the objects that have it; a cluster that does not answer any more, or has no such kind, has none."""
    found = []
    for api_version, kind in _LISTED:
        try:
            items = client.items(api_version, kind)
        except (ApiError, LocalClusterError):
            continue
        found += [f"{kind} {item['metadata']['name']}" for item in items if told(json.dumps(item))]
    return found


def in_recording(recording: Recording) -> list[str]:
    """Name what a Pulumi program tells of it: outside of a Secret, or within one that is not marked as secret."""
    found = [f"output {name}" for name, value in recording.outputs.items() if told(_json(value))]
    for resource in recording.resources:
        manifest = resource.manifest() or {}
        if told(_json(resource.inputs)) and not (manifest.get("kind") == "Secret" and resource.secrets):
            found.append(resource.urn)
    return found


def _json(value: Any) -> str:  # noqa: ANN401 - whatever a program registers
    return json.dumps(value, default=repr)
