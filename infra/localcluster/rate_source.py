"""Where the rates come from: the rate providers on the network, or the stand-in where there is no way to them."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import requests

from localcluster.errors import LocalClusterError
from localcluster.processes import Process, wait_until
from localcluster.rateserver import PROVIDERS
from localcluster.workspace import remembered_port

_PUBLIC: Final = (
    "https://api.frankfurter.dev/v2/rates?base=EUR&quotes=USD",
    "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml",
)
_TIMEOUT_S: Final = 5.0
_STARTED_WITHIN_S: Final = 30.0


class RateSource:
    """The source of one cluster's rates.

    Args:
        state: The cluster's directory.
    """

    def __init__(self, state: Path) -> None:
        self._port_file = state / "rateserver.port"
        self.stand_in = Process(state, "rateserver")

    def choose(self, report: Callable[[str], None], *, stand_in: bool) -> dict[str, str]:
        """Decide, and start the stand-in where it is needed. A running stand-in is kept: its rates are in use.

        Args:
            report: Told what is done.
            stand_in: Whether to use the stand-in in any case.

        Returns:
            The root addresses to use in place of the public ones, by rate provider; empty for the public ones.
        """
        why = "as asked"
        if not stand_in and self.stand_in.pid is not None:
            why = "as before"
        elif not stand_in:
            if _network_answers():
                self.stand_in.stop()
                report("rates come from the network")
                return {}
            why = "the rate providers cannot be reached from here"
        if self.stand_in.pid is None:
            self._start()
        announcement = self.stand_in.log.read_text(encoding="utf-8").strip()
        report(f"rates come from a stand-in ({why}): {announcement}")
        port = self._port_file.read_text(encoding="utf-8")
        return {provider: f"http://127.0.0.1:{port}/{provider}" for provider in PROVIDERS}

    def is_well(self) -> bool:
        """Tell whether the stand-in answers."""
        if self.stand_in.pid is None:
            return False
        with requests.Session() as session:
            session.trust_env = False
            try:
                # A path that it does not know: no provider's calls are counted.
                session.get(f"http://127.0.0.1:{self._port_file.read_text(encoding='utf-8')}/", timeout=_TIMEOUT_S)
            except requests.RequestException:
                return False
        return True

    def _start(self) -> None:
        port = remembered_port(self._port_file)
        self.stand_in.start([sys.executable, "-m", "localcluster.rateserver", "--port", str(port)])

        def answers() -> bool:
            return self.stand_in.pid is None or "replays" in self.stand_in.log.read_text(encoding="utf-8")

        if not wait_until(answers, _STARTED_WITHIN_S) or self.stand_in.pid is None:
            raise LocalClusterError(
                f"the stand-in rate server does not start; its last lines:\n{self.stand_in.tail()}\n"
                f"The whole log is {self.stand_in.log}. Correct the cause and run `up` again."
            )


def _network_answers() -> bool:
    for address in _PUBLIC:
        try:
            if requests.get(address, timeout=_TIMEOUT_S).ok:
                return True
        except requests.RequestException:
            continue
    return False
