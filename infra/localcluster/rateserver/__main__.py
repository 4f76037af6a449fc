"""`python -m localcluster.rateserver --port N`: the stand-in as a process, until it is told to end."""

import argparse
import datetime as dt
import signal
import sys
import threading

from localcluster.rateserver import RateServer


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="rateserver", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1; 0 for a free one")
    parser.add_argument(
        "--date", type=dt.date.fromisoformat, help="the day whose table is replayed; the newest by default"
    )
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with RateServer(arguments.port) as server:
        if arguments.date is not None:
            server.replay(arguments.date)
        print(f"http://127.0.0.1:{server.server_address[1]} replays the ECB's table of {server.table.date}", flush=True)
        ended.wait()
    sys.exit(0)


if __name__ == "__main__":
    main()
