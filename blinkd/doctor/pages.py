"""The terminal's own pages: whether they can be served, and whether they are."""

import http.client
import importlib.util
import os
from datetime import datetime, timedelta

from cryptography import x509

from blinkd.clock import Clock
from blinkd.doctor.check import Check
from blinkd.errors import ConfigError
from blinkd.settings import Settings
from blinkd.store.lock import daemon_of
from blinkd.supervision.pages import NEEDED

NAME = "web"
ANSWER_S = 3.0
SOON = timedelta(days=21)
RUNS_OUT = "renew it, and restart blinkd"


def pages(settings: Settings, clock: Clock) -> Check:
    """Packages, language, certificate, and an answer of the page itself where the daemon runs. Raises ConfigError."""
    web = settings.web
    if not web.enabled:
        return Check(NAME, "ok", "switched off (web.enabled)")
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        return Check(NAME, "fail", f"the package {missing[0]} is not installed", "run ./install.sh install, which installs all of them")
    from blinkd.web.languages import load_language  # noqa: PLC0415  its packages may be missing

    try:
        load_language(settings.kiosk.language)
    except ConfigError as error:
        return Check(NAME, "warn", str(error), "set kiosk.language to one of them; the display is in English meanwhile")
    if web.opened and (trouble := _certificate_trouble(settings, clock.now().utc)) is not None:
        return trouble
    where = f"http://{web.host if not web.opened else '127.0.0.1'}:{web.port}/kiosk"
    if daemon_of(settings.state_dir) is None:
        return Check(NAME, "ok", f"{where} once the daemon runs")
    if why := _silence(settings):
        return Check(
            NAME, "warn", f"{where} does not answer: {why}", f"journalctl -u blinkd tells why; is port {web.port} somebody else's?"
        )
    return Check(NAME, "ok", f"{where} answers" + (f"; the network has https, port {web.tls_port}" if web.opened else ""))


def _silence(settings: Settings) -> str:
    """Why the page does not answer; empty where it does."""
    web = settings.web
    connection = http.client.HTTPConnection("127.0.0.1" if web.opened else web.host, web.port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/kiosk")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return getattr(error, "strerror", None) or str(error) or type(error).__name__
    finally:
        connection.close()
    return "" if status == 200 else f"HTTP {status}"


def _certificate_trouble(settings: Settings, now: datetime) -> Check | None:
    certificate, key = settings.web.certificate, settings.web.key
    for path in (certificate, key):
        if path is None or not os.access(path, os.R_OK):
            return Check(
                NAME, "fail", f"{path} cannot be read by this user", "put it there, and let the daemon's user read it: chgrp blinkd"
            )
    assert certificate is not None
    try:
        until = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except ValueError:
        return Check(NAME, "fail", f"{certificate} is no PEM certificate", "put the certificate there, in PEM, with its chain")
    if until < now:
        return Check(NAME, "fail", f"{certificate} was valid until {until:%Y-%m-%d}", RUNS_OUT)
    if until - now < SOON:
        return Check(NAME, "warn", f"{certificate} is valid until {until:%Y-%m-%d} only", RUNS_OUT)
    return None
