"""A mosquitto of our own, which may be killed and started again on its port."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import paho.mqtt.publish
import pytest

from tests.acceptance.service import free_port

_PROGRAM = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")


class Broker:
    """Its sessions are stored at once, so that a kill loses none."""

    def __init__(self, folder: Path, password: str | None = None) -> None:
        if _PROGRAM is None:
            pytest.skip("no mosquitto: install it")
        self.port = free_port()
        lines = [
            f"listener {self.port} 127.0.0.1", "persistence true",
            f"persistence_location {folder}/",
            "autosave_interval 1", "autosave_on_changes true", "user root",
            "max_queued_messages 10000", f"allow_anonymous {str(password is None).lower()}",
        ]  # fmt: skip
        if password is not None:
            file = folder / "passwords"
            subprocess.run(["mosquitto_passwd", "-b", "-c", file, "tram", password], check=True)
            lines.append(f"password_file {file}")
        self.login = None if password is None else {"username": "tram", "password": password}
        self._configuration = folder / "mosquitto.conf"
        self._configuration.write_text("\n".join(lines) + "\n")
        folder.chmod(0o777)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [_PROGRAM, "-c", self._configuration],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("mosquitto did not start")

    def kill(self, sign: signal.Signals = signal.SIGKILL) -> None:
        assert self._process is not None
        self._process.send_signal(sign)
        self._process.wait(10)

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def publish(
        self, topic: str, *payloads: str | bytes, qos: int = 1, retain: bool = False
    ) -> None:
        paho.mqtt.publish.multiple(
            [{"topic": topic, "payload": p, "qos": 1, "retain": retain} for p in payloads],
            hostname="127.0.0.1", port=self.port, auth=self.login,
        )  # fmt: skip
