"""Doctor on the terminal's own pages."""

import datetime
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from blinkd.clock import SystemClock
from blinkd.doctor import pages as module
from blinkd.doctor.pages import pages
from blinkd.measure.servers.ports import free_ports
from blinkd.settings import KioskSettings, Settings, WebSettings
from blinkd.store.lock import StateLock
from blinkd.web.process import run

CLOCK = SystemClock()


def settings(state: Path, language: str = "en", **web: object) -> Settings:
    state.mkdir(exist_ok=True)
    return Settings(state_dir=state, web=WebSettings.model_validate(web), kiosk=KioskSettings(language=language))


def certificate(folder: Path, days: int) -> dict[str, object]:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "door")])
    until = CLOCK.now().utc + datetime.timedelta(days=days)
    made = x509.CertificateBuilder(name, name, key.public_key(), 7, until - datetime.timedelta(days=90), until).sign(key, hashes.SHA256())
    pem, secret = folder / "web.pem", folder / "web.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(b"key")
    return {"host": "0.0.0.0", "certificate": pem, "key": secret}


def test_where_they_are_switched_off_nothing_is_looked_at(tmp_path: Path) -> None:
    assert pages(settings(tmp_path, language="tlh", enabled=False), CLOCK).status == "ok"


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NEEDED", ("no_such_package",))
    found = pages(settings(tmp_path), CLOCK)
    assert (found.status, "no_such_package" in found.detail, "install.sh" in found.fix) == ("fail", True, True)


def test_a_language_that_there_is_not_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    found = pages(settings(tmp_path, language="tlh"), CLOCK)
    assert (found.status, "ar, en, es" in found.detail, "kiosk.language" in found.fix) == ("warn", True, True)


@pytest.mark.parametrize(
    ("days", "status", "words"), [(-1, "fail", "was valid until"), (5, "warn", "only"), (60, "ok", "once the daemon runs")]
)
def test_a_certificate_that_runs_out_is_told_in_time(tmp_path: Path, days: int, status: str, words: str) -> None:
    found = pages(settings(tmp_path / "s", **certificate(tmp_path, days)), CLOCK)
    assert (found.status, words in found.detail) == (status, True)


def test_a_certificate_that_is_none_or_is_missing_is_named(tmp_path: Path) -> None:
    given = certificate(tmp_path, 60)
    (tmp_path / "web.pem").write_text("nonsense")
    assert "is no PEM certificate" in pages(settings(tmp_path / "s", **given), CLOCK).detail
    (tmp_path / "web.key").unlink()
    found = pages(settings(tmp_path / "s", **given), CLOCK)
    assert (found.status, "web.key" in found.detail) == ("fail", True)


def test_while_the_daemon_runs_the_page_itself_is_asked(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    wanted = settings(tmp_path, port=port)
    with StateLock(tmp_path):
        silent = pages(wanted, CLOCK)
        assert (silent.status, "does not answer" in silent.detail, str(port) in silent.fix) == ("warn", True, True)
        stop = threading.Event()
        work = threading.Thread(target=run, args=(wanted, None, None, None, None, stop, threading.Event()))
        work.start()
        try:
            while (found := pages(wanted, CLOCK)).status != "ok":
                assert work.is_alive()
        finally:
            stop.set()
            work.join(20)
    assert f"http://127.0.0.1:{port}/kiosk answers" in found.detail
