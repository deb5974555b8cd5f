"""Runs all simulated sources at one port, until it is interrupted."""

import argparse
import signal
import socket
import sys

from api.demo_sources.server import DemoServer, running
from api.demo_sources.simulation import LAYER_FILES, PORT, SECRETS, eventful_pages
from gis.jobs.parent import die_with


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m api.demo_sources", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}")
    parser.add_argument("--socket", type=int, help="one that listens, in place of a port")
    parser.add_argument("--parent", type=int, help="process with which this one ends")
    options = parser.parse_args()
    if options.parent is not None:
        die_with(options.parent)
    listener = None if options.socket is None else socket.socket(fileno=options.socket)
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # to be waited for below, whenever they come
    pages = eventful_pages()
    with running(DemoServer(pages, options.port, listener)) as server:
        print(f"simulated sources at {server.base}")
        print(f"layer files: {LAYER_FILES}")
        print("for the service that reads them:")
        print("  GIS_SOURCE_NETWORKS=127.0.0.0/8")
        for name, value in SECRETS.items():
            print(f"  GIS_SOURCE_SECRET_{name}={value}")
        sys.stdout.flush()
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
