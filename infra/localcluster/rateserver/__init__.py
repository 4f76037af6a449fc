"""A stand-in for the rate providers, for tests and for machines without internet.

It replays the ECB's real published tables in every provider's own format, counts requests, and can fail in all the ways
that rate providers do. It listens on loopback only.
"""

from localcluster.rateserver.faults import Fault
from localcluster.rateserver.server import PROVIDERS, RateServer
from localcluster.rateserver.tables import Table, days, newest_table, table_of

__all__ = ["PROVIDERS", "Fault", "RateServer", "Table", "days", "newest_table", "table_of"]
