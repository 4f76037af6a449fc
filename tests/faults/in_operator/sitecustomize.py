"""What Python imports first where this directory is on PYTHONPATH: the operator's process sees another time of day.

A file says by how many seconds. It is what `time.time` and `datetime.now` tell; monotonic clocks, and what the C
library and TLS read, stay as they are: the machine's own clock belongs to others. Another file makes the name of a host
be one that nobody can resolve while it exists.
"""

import datetime as dt
import os
import socket
import time
from pathlib import Path
from typing import Any, TypeAlias

SHIFT, UNRESOLVED = Path(os.environ["FAULTS_SHIFT"]), Path(os.environ["FAULTS_UNRESOLVED"])
HOST = "rates.test"
_Real: TypeAlias = dt.datetime
_time, _resolve = time.time, socket.getaddrinfo


def _shift_s() -> float:
    return float(SHIFT.read_text() or "0")


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Real)


class _Shifted(_Real, metaclass=_AnyDatetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:  # noqa: ANN401 - the class that this one stands in for
        return _Real.now(tz) + dt.timedelta(seconds=_shift_s())


def _getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the library has it
    if host != HOST:
        return _resolve(host, *args, **kwargs)
    if UNRESOLVED.exists():
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return _resolve("127.0.0.1", *args, **kwargs)


dt.datetime = _Shifted  # type: ignore[misc] # that is what this module is for
time.time = lambda: _time() + _shift_s()
socket.getaddrinfo = _getaddrinfo
