"""The address where the service listens, and the processes that share it."""

import errno
import os
import socket
from typing import Any, Self, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from api.connections import Connections, Patience
from gis.errors import Unavailable


class Listener(socket.socket):
    """A socket at an address. A process to which it is sent opens one of its own there.

    The kernel then deals new clients out among them; of one shared socket, the process that wakes
    first takes all who wait, and one of two may have nothing to do.
    """

    @classmethod
    def at(cls, host: str, port: int) -> Self:
        """Raises Unavailable for an address that is in use, or that is none of this machine's."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = cls(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            listener.close()
            raise Unavailable(_cannot_listen(host, port, error)) from error
        return listener

    def __reduce__(self) -> tuple[Any, ...]:
        return _beside, (self.family, self.getsockname())


def serving(app: ASGIApp | str, patience: Patience, **more: Any) -> uvicorn.Config:
    """Configuration by which an application, or that of a factory's name, is served."""
    return uvicorn.Config(
        app,
        http=cast(Any, Connections(patience).protocol),
        ws="none",  # a web socket would leave those connections, and there is none here
        log_config=None,
        access_log=False,  # each request has a line of ours
        timeout_graceful_shutdown=5,
        **more,
    )


def serve_many(factory: str, processes: int, listener: Listener, patience: Patience) -> None:
    """Serve until a signal; `factory` names what makes the application, as `module:function`."""
    config = serving(
        factory,
        patience,
        factory=True,
        workers=processes,
        timeout_worker_healthcheck=60,  # a busy machine needs longer than 5 s to import the service
    )
    Multiprocess(config, sockets=[listener]).run()


def _beside(family: int, address: tuple[Any, ...]) -> Listener:
    listener = Listener(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(address)
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} is in use: stop the other program, or choose another port, "
            f"for example GIS_PORT={port + 1}"
        )
    return f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}"
