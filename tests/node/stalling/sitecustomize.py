"""Makes parts of the operator hang when a signal says so. Python runs it at its start, where it is on the path.

No fault from outside can stall them: every call to the API server and to a rate provider is given up in time.
"""

import asyncio
import signal
from typing import Final

from exchangerates import controller, informer
from exchangerates.controller import Controller
from exchangerates.informer import Informer
from exchangerates.reconcile import Reconciler

STUCK_AFTER_S: Final = 40.0
"""In place of five minutes. The dispatcher may have nothing to do for a minute, and is taken for stalled after two of
these."""


def hang(owner: type, name: str, told: signal.Signals) -> None:
    """Have a method never return once the process gets a signal, whether it was called before or after."""
    method, stalled = getattr(owner, name), asyncio.Event()

    async def hanging(*arguments: object, **named: object) -> object:
        work, stall = asyncio.ensure_future(method(*arguments, **named)), asyncio.ensure_future(stalled.wait())
        try:
            await asyncio.wait({work, stall}, return_when=asyncio.FIRST_COMPLETED)
            if stalled.is_set():
                work.cancel()
                await asyncio.Event().wait()
            return work.result()
        finally:
            work.cancel()
            stall.cancel()

    setattr(owner, name, hanging)
    signal.signal(told, lambda *_: stalled.set())


controller.STUCK_AFTER_S = informer.LATE_AFTER_S = STUCK_AFTER_S  # type: ignore[misc] # final for everybody else
hang(Controller, "_next", signal.SIGUSR1)
hang(Informer, "_resync", signal.SIGUSR2)
hang(Reconciler, "reconcile", signal.SIGHUP)
