"""Checks http:// and https:// addresses for what a pattern does not see: a host, and a port that there is.

The operator checks its settings with it, and the Pulumi program what it makes them of.
"""

from urllib.parse import urlsplit


def leads_somewhere(address: str) -> bool:
    """Tell whether an address has a host and, where it names a port, one from 1 to 65535."""
    try:
        parts = urlsplit(address)
        # A host that is followed by a colon alone has no port, and is reached at the scheme's own.
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
