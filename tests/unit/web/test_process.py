"""The web process: where it listens, and how it ends."""

import os
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from blinkd.errors import ConfigError
from blinkd.measure.servers.ports import free_ports
from blinkd.ourselves import COMMAND
from blinkd.settings import Settings, WebSettings
from blinkd.web.process import LOCAL, OPENED, listens, run

PEM = Path("/etc/blinkd/web.pem")


def test_this_machine_only_where_nothing_else_is_wanted() -> None:
    ((listen, service),) = listens(WebSettings())
    assert (listen.host, listen.port, listen.tls, service) == ("127.0.0.1", 8480, False, LOCAL)
    assert listens(WebSettings(host="::1"))[0][0].host == "::1"


def test_the_network_over_tls_beside_it() -> None:
    here, there = listens(WebSettings(host="0.0.0.0", certificate=PEM, key=PEM))
    assert (here[0].host, here[0].port, here[0].tls, here[1]) == ("127.0.0.1", 8480, False, LOCAL)
    assert (there[0].host, there[0].port, there[0].tls, there[1]) == ("0.0.0.0", 8443, True, OPENED)


def test_it_serves_until_the_daemon_has_ended(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    settings = Settings(state_dir=tmp_path, web=WebSettings(port=port))
    read, write = os.pipe()
    stop = threading.Event()
    work = threading.Thread(target=run, args=(settings, None, None, read, None, stop, threading.Event()))
    work.start()
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/kiosk", timeout=30) as answer:
                    assert answer.status == 200
                    break
            except urllib.error.URLError:
                assert work.is_alive()
    finally:
        os.close(write)
    work.join(20)
    assert (work.is_alive(), stop.is_set()) == (False, True)


def test_where_memory_ends_it_goes_before_the_door(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    variables = {"BLINKD_STATE_DIR": str(tmp_path), "BLINKD_WEB__PORT": str(port)}
    with subprocess.Popen([*COMMAND, "web", "run", "--parent", str(os.getpid())], env=os.environ | variables) as child:
        try:
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/kiosk", timeout=30).close()
                    break
                except urllib.error.URLError:
                    assert child.poll() is None
            score = Path(f"/proc/{child.pid}/oom_score_adj").read_text()
        finally:
            child.terminate()
    assert int(score) > int(Path("/proc/self/oom_score_adj").read_text())


def test_a_port_that_is_taken_is_said_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(state_dir=tmp_path, web=WebSettings(port=taken.getsockname()[1]))
        with pytest.raises(ConfigError, match=r"choose another web\.port"):
            run(settings, None, None, None, None, threading.Event(), threading.Event())


def test_a_certificate_that_is_missing_is_said(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    web = WebSettings(host="0.0.0.0", port=port, certificate=tmp_path / "no.pem", key=tmp_path / "no.key")
    with pytest.raises(ConfigError, match=r"no\.pem: no such file"):
        run(Settings(state_dir=tmp_path, web=web), None, None, None, None, threading.Event(), threading.Event())
