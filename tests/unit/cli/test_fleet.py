"""The verbs fleet …: from an authority to a terminal that is certified, and to one that is shut out."""

import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from blinkd.crypto.authority import Authority
from blinkd.crypto.box import Box
from blinkd.crypto.certificates import CertificateChecker
from blinkd.crypto.signing import Signer
from blinkd.settings import StoreSettings
from blinkd.store.database import Store
from tests.integration.faces.commands import Answer, blinkd
from tests.unit.cli.passwords import OTHER, PASSWORD, with_passwords


@pytest.fixture
def terminal(tmp_path: Path) -> Path:
    """The state folder of terminal-1 of acme."""
    state = tmp_path / "terminal"
    assert with_passwords("keys", "init", "--organisation", "acme", state=state).code == 0
    return state


@pytest.fixture
def ca(tmp_path: Path, terminal: Path) -> Path:
    """The folder of acme's authority, whose key has no password."""
    folder = tmp_path / "ca"
    done("fleet", "init", "--folder", folder, "--no-password", state=terminal)
    return folder


def done(*arguments: str | Path, state: Path, **more: str) -> Answer:
    answer = blinkd(*arguments, state=state, **more)
    assert answer.code == 0, answer.err
    return answer


def refused(answer: Answer, *words: str) -> None:
    assert (answer.code, answer.out) == (1, ""), answer
    for word in words:
        assert word in answer.err


def certified(terminal: Path, ca: Path, tmp_path: Path) -> Path:
    """The certificate that a request of the terminal gets."""
    asked, given = tmp_path / "request.json", tmp_path / "certificate.pem"
    done("fleet", "request", "-o", asked, state=terminal)
    done("fleet", "issue", asked, "-o", given, "--folder", ca, state=tmp_path / "nowhere")
    return given


def pem_of(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_terminal_asks_the_authority_issues_and_the_terminal_installs(terminal: Path, ca: Path, tmp_path: Path) -> None:
    given = certified(terminal, ca, tmp_path)
    installed = done("fleet", "install", given, "--ca", ca / "ca.pem", state=terminal)
    assert "acme/terminal-1" in installed.out
    der = pem_of(terminal / "terminal.pem").public_bytes(Encoding.DER)
    found = CertificateChecker((terminal / "ca.pem").read_bytes()).check(der, "acme", "terminal-1")
    assert found.signing == Signer.load(terminal, create=False).public
    assert found.box == Box.load(terminal, create=False).public
    for name in ("tls.key", "signing.key", "box.key", "terminal.pem", "ca.pem"):
        assert stat.S_IMODE((terminal / name).stat().st_mode) == 0o600, name
    assert b"PRIVATE" not in given.read_bytes() + (tmp_path / "request.json").read_bytes()


def test_both_sides_show_the_same_fingerprint_of_the_request(terminal: Path, ca: Path, tmp_path: Path) -> None:
    asked = tmp_path / "request.json"
    shown = done("fleet", "request", "-o", asked, state=terminal).err.split("fingerprint: ")[1].strip()
    assert len(shown) == 39
    assert shown in done("fleet", "issue", asked, "-o", tmp_path / "c.pem", "--folder", ca, state=terminal).err


def test_request_and_certificate_can_go_through_pipes(terminal: Path, ca: Path, tmp_path: Path) -> None:
    asked = tmp_path / "request.json"
    asked.write_text(done("fleet", "request", "-o", "-", state=terminal).out)
    given = done("fleet", "issue", asked, "-o", "-", "--folder", ca, state=terminal).out
    assert x509.load_pem_x509_certificate(given.encode()).issuer == pem_of(ca / "ca.pem").subject


def test_asking_again_keeps_the_keys(terminal: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        done("fleet", "request", "-o", tmp_path / name, state=terminal)
    one, two = (json.loads((tmp_path / name).read_text()) for name in ("a", "b"))
    assert [one[name] == two[name] for name in ("terminal", "signing", "box")] == [True] * 3
    keys = {name: (terminal / name).read_bytes() for name in ("tls.key", "signing.key", "box.key")}
    done("fleet", "request", "-o", tmp_path / "c", state=terminal)
    assert keys == {name: (terminal / name).read_bytes() for name in keys}


def test_a_terminal_whose_book_lost_its_signing_key_is_not_given_another(terminal: Path, tmp_path: Path) -> None:
    with Store.open(terminal, StoreSettings()) as store:
        store.people.enrol("E-1", "Ann", [])
    (terminal / "signing.key").unlink()
    refused(blinkd("fleet", "request", "-o", tmp_path / "r", state=terminal), "signing.key")
    assert not (terminal / "signing.key").exists()


def test_a_terminal_asks_only_once_it_belongs_to_an_organisation(tmp_path: Path) -> None:
    refused(blinkd("fleet", "request", "-o", tmp_path / "r", state=tmp_path / "s"), "keys join")


@pytest.mark.parametrize("name", ["a+b", "a/b", "#"])
def test_an_id_that_no_topic_could_hold_is_refused_by_the_settings(terminal: Path, tmp_path: Path, name: str) -> None:
    assert blinkd("fleet", "request", "-o", tmp_path / "r", state=terminal, BLINKD_TERMINAL__ID=name).code == 1
    assert not (tmp_path / "r").exists()


def test_a_request_that_was_changed_on_the_way_gets_nothing(terminal: Path, ca: Path, tmp_path: Path) -> None:
    asked = tmp_path / "request.json"
    done("fleet", "request", "-o", asked, state=terminal)
    value = json.loads(asked.read_text())
    asked.write_text(json.dumps(value | {"terminal": "terminal-2"}))
    refused(blinkd("fleet", "issue", asked, "-o", tmp_path / "c", "--folder", ca, state=terminal), "request.json", "fleet request")
    assert not (tmp_path / "c").exists()
    assert done("fleet", "list", "--json", "--folder", ca, state=terminal).json == []


def test_another_machine_gets_no_certificate_by_a_name_that_is_taken(terminal: Path, ca: Path, tmp_path: Path) -> None:
    certified(terminal, ca, tmp_path)
    for name in ("signing.key", "box.key", "tls.key"):
        (terminal / name).unlink()
    done("fleet", "request", "-o", tmp_path / "r", state=terminal)
    refused(blinkd("fleet", "issue", tmp_path / "r", "-o", tmp_path / "c", "--folder", ca, state=terminal), "fleet revoke")


def test_a_certificate_that_is_not_this_terminals_is_not_installed(terminal: Path, ca: Path, tmp_path: Path) -> None:
    given = certified(terminal, ca, tmp_path)
    install = ("fleet", "install", given, "--ca", ca / "ca.pem")
    refused(blinkd(*install, state=terminal, BLINKD_TERMINAL__ID="terminal-2"), "acme/terminal-1", "terminal-2")
    for name in ("signing.key", "box.key", "tls.key"):
        kept = (terminal / name).read_bytes()
        (terminal / name).unlink()
        done("fleet", "request", "-o", tmp_path / "again", state=terminal)
        refused(blinkd(*install, state=terminal), "fleet request")
        (terminal / name).write_bytes(kept)
    other = Authority.create(tmp_path / "other", "acme")
    (tmp_path / "other.pem").write_bytes(other.ca_pem)
    refused(blinkd("fleet", "install", given, "--ca", tmp_path / "other.pem", state=terminal), "not signed")
    Authority.create(tmp_path / "rivals", "rival")
    refused(blinkd("fleet", "install", given, "--ca", tmp_path / "rivals" / "ca.pem", state=terminal), "rival")
    (tmp_path / "no.pem").write_text("no")
    refused(blinkd("fleet", "install", tmp_path / "no.pem", "--ca", ca / "ca.pem", state=terminal), "certificate")
    assert not (terminal / "terminal.pem").exists()
    assert not (terminal / "ca.pem").exists()
    done(*install, state=terminal)


def test_another_authority_never_takes_the_place_of_the_one_that_is_installed(terminal: Path, ca: Path, tmp_path: Path) -> None:
    done("fleet", "install", certified(terminal, ca, tmp_path), "--ca", ca / "ca.pem", state=terminal)
    other = tmp_path / "other"
    done("fleet", "init", "--folder", other, "--no-password", "--organisation", "acme", state=terminal)
    refused(blinkd("fleet", "install", certified(terminal, other, tmp_path), "--ca", other / "ca.pem", state=terminal), "another authority")
    assert (terminal / "ca.pem").read_bytes() == (ca / "ca.pem").read_bytes()


def test_an_encrypted_authority_wants_its_password(tmp_path: Path) -> None:
    folder, state = tmp_path / "ca", tmp_path / "s"
    init = ("fleet", "init", "--folder", folder, "--organisation", "acme")
    refused(with_passwords(*init, state=state, lines=("password1234",)), "guessed")
    assert not (folder / "ca.key").exists()
    assert with_passwords(*init, state=state).code == 0
    issue = ("fleet", "issue-relay", "-o", tmp_path / "relay", "--folder", folder)
    refused(with_passwords(*issue, state=state, lines=(OTHER,)), "ca.key", "password")
    assert not (tmp_path / "relay" / "relay.key").exists()
    assert with_passwords(*issue, state=state).code == 0
    assert PASSWORD.encode() not in b"".join(path.read_bytes() for path in folder.iterdir())
    refused(with_passwords(*init, state=state), "already")


def test_no_password_is_said_to_be_none(ca: Path, tmp_path: Path) -> None:
    answer = blinkd("fleet", "init", "--folder", tmp_path / "x", "--organisation", "acme", "--no-password", state=tmp_path / "s")
    assert "not encrypted" in answer.out
    both = with_passwords("fleet", "init", "--folder", tmp_path / "y", "--organisation", "acme", "--no-password", state=tmp_path / "s")
    assert both.code == 2
    assert blinkd("fleet", "init", "--folder", tmp_path / "z", "--no-password", state=tmp_path / "s").code == 2, "whose it is nobody says"
    assert not (tmp_path / "y").exists()
    assert ca.exists()


def test_relay_and_broker_get_all_that_their_side_needs(ca: Path, terminal: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done("fleet", "issue-relay", "-o", out, "--folder", ca, state=terminal)
    done("fleet", "issue-broker", "broker.example.org", "192.0.2.7", "-o", out, "--folder", ca, state=terminal)
    names = {path.name for path in out.iterdir()}
    assert names == {"relay.pem", "relay.key", "broker.pem", "broker.key", "ca.pem", "crl.pem"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
    listed = done("fleet", "list", "--json", "--folder", ca, state=terminal).json
    assert [(one["kind"], one["name"]) for one in listed] == [("relay", "relay"), ("broker", "broker.example.org")]
    before = (out / "relay.key").read_bytes()
    refused(blinkd("fleet", "issue-relay", "-o", out, "--folder", ca, state=terminal), "there already")
    assert (out / "relay.key").read_bytes() == before
    assert blinkd("fleet", "issue-broker", "-o", tmp_path / "b", "--folder", ca, state=terminal).code == 2
    refused(blinkd("fleet", "issue-broker", "*.example.org", "-o", tmp_path / "b", "--folder", ca, state=terminal), "*.example.org")
    assert blinkd("fleet", "issue-relay", "-o", tmp_path / "c", "--days", "0", "--folder", ca, state=terminal).code == 2


def test_a_revoked_terminal_stands_in_the_list_for_the_broker(terminal: Path, ca: Path, tmp_path: Path) -> None:
    given = certified(terminal, ca, tmp_path)
    words = done("fleet", "revoke", "terminal-1", "--folder", ca, state=terminal).out
    for word in ("1 certificate, with 730 days left", "crl.pem", "reload", "keys rotate --revoke terminal-1"):
        assert word in words
    revoked = x509.load_pem_x509_crl((ca / "crl.pem").read_bytes())
    assert [one.serial_number for one in revoked] == [pem_of(given).serial_number]
    (one,) = done("fleet", "list", "--json", "--folder", ca, state=terminal).json
    assert one["revoked"] is not None
    assert "revoked" in done("fleet", "list", "--folder", ca, state=terminal).out
    refused(blinkd("fleet", "revoke", "terminal-1", "--folder", ca, state=terminal), "fleet list")


def test_a_certificate_past_its_date_is_not_said_to_count(terminal: Path, ca: Path, tmp_path: Path) -> None:
    certified(terminal, ca, tmp_path)
    assert "counts" in done("fleet", "list", "--folder", ca, state=terminal).out
    (one,) = json.loads((ca / "issued.json").read_text())
    (ca / "issued.json").write_text(json.dumps([one | {"not_after": "2020-01-01"}]))
    words = done("fleet", "list", "--folder", ca, state=terminal).out
    assert "past its" in words
    assert "counts" not in words


@pytest.mark.parametrize("verb", [("list",), ("revoke", "x"), ("issue-relay", "-o", "out")])
def test_without_an_authority_the_way_to_one_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]) -> None:
    monkeypatch.chdir(tmp_path)
    refused(blinkd("fleet", *verb, state=tmp_path / "s"), "blinkd-ca", "fleet init")


if OPENSSL := shutil.which("openssl"):

    def test_openssl_takes_what_the_verbs_have_made(terminal: Path, ca: Path, tmp_path: Path) -> None:
        given, out = certified(terminal, ca, tmp_path), tmp_path / "out"
        done("fleet", "issue-broker", "broker.example.org", "-o", out, "--folder", ca, state=terminal)
        for purpose, path in (("sslclient", given), ("sslserver", out / "broker.pem")):
            command = [OPENSSL, "verify", "-x509_strict", "-CAfile", ca / "ca.pem", "-purpose", purpose, path]
            assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout == f"{path}: OK\n"
        for key, path in ((terminal / "tls.key", given), (out / "broker.key", out / "broker.pem")):
            halves = [
                subprocess.run([OPENSSL, *words, "-in", one], capture_output=True, check=True, timeout=30).stdout
                for words, one in ((["pkey", "-pubout"], key), (["x509", "-pubkey", "-noout"], path))
            ]
            assert halves[0] == halves[1]
