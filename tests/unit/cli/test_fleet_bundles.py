"""The verbs fleet …: a terminal comes into the organisation by one file, or by a code on its console."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from blinkd.cli.qr import modules, shown
from blinkd.crypto import wrapping
from blinkd.fleet import placing
from tests.integration.faces.commands import Answer, blinkd
from tests.unit.cli.passwords import PASSWORD, with_passwords


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrapping, "ITERATIONS", 1000)


@dataclass(frozen=True, slots=True)
class Desk:
    """The administrator's."""

    folder: Path

    def issue(self, what: str | Path, *more: str | Path, out: str = "bundle") -> Answer:
        return with_passwords("fleet", "issue", what, "-o", self.folder / out, *self.known, *more, state=self.folder / "nowhere")

    def approve(self, code: str, request: Path, *more: str | Path) -> Answer:
        answer = self.folder / "answer"
        words = ("fleet", "approve", code, "--request", request, "-o", answer, *self.known, *more)
        return with_passwords(*words, state=self.folder / "nowhere")

    @property
    def known(self) -> tuple[str | Path, ...]:
        return ("--folder", self.folder / "ca", "--keyring", self.folder / "keyring.json", "--settings", self.folder / "site.toml")


@dataclass(frozen=True, slots=True)
class Terminal:
    """A new one, with the settings as shipped."""

    folder: Path

    @classmethod
    def new(cls, folder: Path) -> "Terminal":
        folder.mkdir()
        (folder / "blinkd.toml").write_bytes((Path(__file__).parents[3] / "config" / "blinkd.toml").read_bytes())
        (folder / "state").mkdir(mode=0o700)
        return cls(folder)

    def run(self, *words: str | Path, lines: tuple[str, ...] | None = None) -> Answer:
        more: tuple[Any, ...] = ("--config", self.folder / "blinkd.toml")
        state = self.folder / "state"
        return blinkd(*words, *more, state=state) if lines is None else with_passwords(*words, *more, state=state, lines=lines)

    def show(self) -> Any:
        return self.run("keys", "show", "--json").json


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    first = tmp_path / "first"
    assert with_passwords("keys", "init", "--organisation", "acme", state=first).code == 0
    assert blinkd("keys", "export", tmp_path / "keyring.json", state=first).code == 0
    assert blinkd("fleet", "init", "--folder", tmp_path / "ca", "--no-password", "--organisation", "acme", state=first).code == 0
    (tmp_path / "site.toml").write_text('[sync]\nbroker = "mqtt.example"\n')
    return Desk(tmp_path)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal.new(tmp_path / "terminal")


def code_in(answer: Answer) -> str:
    """Of what `fleet issue` says: the line that holds nothing else."""
    (code,) = [line.strip() for line in answer.err.splitlines() if line.startswith("  ") and line.count("-") == 4]
    return code


def test_one_file_and_its_code_make_a_terminal(desk: Desk, terminal: Terminal) -> None:
    issued = desk.issue("door-1")
    assert issued.code == 0, issued.err
    code = code_in(issued)
    assert code not in (desk.folder / "bundle").read_text()
    wrong = terminal.run("fleet", "install", desk.folder / "bundle", lines=("AAAA-AAAA-AAAA-AAAA-AAAA",))
    assert (wrong.code, wrong.out) == (1, "")
    assert "bundle: a character of the code is wrong" in wrong.err
    assert list((terminal.folder / "state").iterdir()) == []
    done = terminal.run("fleet", "install", desk.folder / "bundle", lines=(code,))
    assert done.code == 0, done.err
    assert "acme/door-1 is certified until" in done.out
    assert terminal.show()["unlocked"] is True
    assert terminal.run("sync", "status", "--json").json["terminal"] == "door-1"


def test_a_code_on_the_console_makes_a_terminal(desk: Desk, terminal: Terminal) -> None:
    claimed = terminal.run("fleet", "claim", "-o", desk.folder / "request")
    assert claimed.code == 0, claimed.err
    (code,) = [line.removeprefix("code: ") for line in claimed.err.splitlines() if line.startswith("code: ")]
    approved = desk.approve(code, desk.folder / "request", "--terminal", "door-2")
    assert approved.code == 0, approved.err
    done = terminal.run("fleet", "install", desk.folder / "answer")
    assert done.code == 0, done.err
    assert "acme/door-2" in done.out
    assert not (terminal.folder / "state" / "claim.json").exists()
    again = terminal.run("fleet", "install", desk.folder / "answer")
    assert (again.code, "waits for no answer" in again.err) == (1, True)
    assert terminal.show()["unlocked"] is True


def test_a_claim_and_its_request_that_do_not_belong_together_issue_nothing(desk: Desk, terminal: Terminal, tmp_path: Path) -> None:
    one = terminal.run("fleet", "claim", "-o", desk.folder / "request")
    Terminal.new(tmp_path / "hostile").run("fleet", "claim", "-o", desk.folder / "other")
    (code,) = [line.removeprefix("code: ") for line in one.err.splitlines() if line.startswith("code: ")]
    refused = desk.approve(code, desk.folder / "other")
    assert (refused.code, "not the one whose code this is" in refused.err) == (1, True)
    assert not (desk.folder / "answer").exists()
    assert blinkd("fleet", "list", "--json", "--folder", desk.folder / "ca", state=desk.folder / "nowhere").json == []


def test_a_request_of_a_terminal_without_a_keyring_is_answered_by_a_bundle(desk: Desk, terminal: Terminal) -> None:
    assert terminal.run("fleet", "request", "--organisation", "acme", "-o", desk.folder / "request").code == 0
    issued = desk.issue(desk.folder / "request")
    assert issued.code == 0, issued.err
    fingerprint = issued.err.split('--authority "')[1].split('"')[0]
    unknown = terminal.run("fleet", "install", desk.folder / "bundle")
    assert (unknown.code, fingerprint in unknown.err) == (1, True)
    done = terminal.run("fleet", "install", desk.folder / "bundle", "--authority", fingerprint)
    assert done.code == 0, done.err
    assert terminal.show()["organisation"] == "acme"


def test_the_next_certificate_comes_by_renew_issue_and_install(desk: Desk, terminal: Terminal) -> None:
    early = terminal.run("fleet", "renew", "-o", desk.folder / "again")
    assert (early.code, "no certificate to renew" in early.err) == (1, True)
    terminal.run("fleet", "install", desk.folder / "bundle", lines=(code_in(desk.issue("door-1", "--days", "20")),))
    before = (terminal.folder / "state" / "terminal.pem").read_bytes()
    assert terminal.run("fleet", "renew", "-o", desk.folder / "again").code == 0
    assert (
        blinkd(
            "fleet", "issue", desk.folder / "again", "-o", desk.folder / "new.pem", "--folder", desk.folder / "ca", state=desk.folder
        ).code
        == 0
    )
    assert terminal.run("fleet", "install", desk.folder / "new.pem", "--ca", desk.folder / "ca" / "ca.pem").code == 0
    assert (terminal.folder / "state" / "terminal.pem").read_bytes() != before
    assert desk.issue(desk.folder / "again", out="second").code == 0
    assert terminal.run("fleet", "install", desk.folder / "second").code == 0
    listed = blinkd("fleet", "list", "--json", "--folder", desk.folder / "ca", state=desk.folder).json
    assert [one["days_left"] for one in listed] == [20, 730, 730]
    assert "ends soon" in blinkd("fleet", "list", "--folder", desk.folder / "ca", state=desk.folder).out


class PowerCut(BaseException):
    """Ends everything at once."""


def test_an_installation_that_was_interrupted_is_ended_by_the_same_command(
    desk: Desk, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, left, real = code_in(desk.issue("door-1")), [15], placing.put

    def put(*given: Any) -> None:
        left[0] -= 1
        if not left[0]:
            raise PowerCut
        real(*given)

    monkeypatch.setattr(placing, "put", put)
    with pytest.raises(PowerCut):
        terminal.run("fleet", "install", desk.folder / "bundle", lines=(code,))
    monkeypatch.undo()
    monkeypatch.setattr(wrapping, "ITERATIONS", 1000)
    assert (terminal.folder / "state" / "signing.key").exists(), "some are in place"
    assert not (terminal.folder / "state" / "terminal.pem").exists(), "and some are not"
    done = terminal.run("fleet", "install", desk.folder / "bundle", lines=(code,))
    assert done.code == 0, done.err
    assert terminal.show()["unlocked"] is True
    assert not [path for path in (terminal.folder / "state").iterdir() if path.name.startswith((".", "arriving"))]


def test_what_is_missing_on_the_command_line_is_told(desk: Desk, terminal: Terminal) -> None:
    nothing = with_passwords("fleet", "issue", "door-1", "-o", desk.folder / "x", "--folder", desk.folder / "ca", state=desk.folder)
    assert (nothing.code, "--keyring" in nothing.err) == (2, True)
    gone = desk.issue("request-of-door-1.json")
    assert (gone.code, "cannot be read" in gone.err) == (1, True)
    (desk.folder / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    assert terminal.run("fleet", "install", desk.folder / "cert.pem").code == 2
    torn = terminal.run("fleet", "install", desk.folder / "site.toml")
    assert (torn.code, "site.toml: torn, or no bundle" in torn.err) == (1, True)
    (desk.folder / "site.toml").write_text("[sync]\nbrokr = 'x'\n")
    refused = desk.issue("door-3")
    assert (refused.code, "sync.broker" in refused.err) == (1, True)


def test_the_organisation_password_must_be_right_before_a_certificate_is_given_out(desk: Desk) -> None:
    words = ("fleet", "issue", "door-1", "-o", desk.folder / "x", *desk.known)
    assert with_passwords(*words, state=desk.folder, lines=("wrong horse",)).code == 1
    assert blinkd("fleet", "list", "--json", "--folder", desk.folder / "ca", state=desk.folder).json == []
    assert PASSWORD not in "".join(str(word) for word in words)


def test_the_picture_in_the_console_reads_as_the_code() -> None:
    text = "blinkd:claim:KWTJ-HXDY-Y7ER-XDQ5-5YCT-VK4Z-CN76-EAAS-CJ6D"
    dark = np.pad(modules(text), 4)
    picture = np.kron(np.where(dark, 0, 255).astype(np.uint8), np.ones((8, 8), np.uint8))
    assert cv2.QRCodeDetector().detectAndDecode(picture)[0] == text
    lines = shown(text).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert len(lines) == (len(modules(text)) + 4 + 1) // 2


def test_what_root_makes_belongs_to_the_owner_of_the_state_folder(desk: Desk, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[str, int, int]] = []
    found = (terminal.folder / "state").stat()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda path, user, group, **_: given.append((Path(path).name, user, group)))
    assert terminal.run("fleet", "claim", "-o", desk.folder / "request").code == 0
    assert {name for name, _, _ in given} >= {"signing.key", "box.key", "tls.key"}
    assert {(user, group) for _, user, group in given} == {(found.st_uid, found.st_gid)}


def test_a_certificate_that_root_installs_belongs_to_the_owner_too_also_in_the_place_of_the_one_before(
    desk: Desk, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    assert terminal.run("keys", "join", desk.folder / "keyring.json", lines=(PASSWORD,)).code == 0
    assert terminal.run("fleet", "request", "-o", desk.folder / "request.json").code == 0
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda path, *_, **__: given.append(Path(path).name))
    for _ in range(2):
        pem = desk.folder / "terminal.pem"
        words = ("fleet", "issue", desk.folder / "request.json", "-o", pem, "--folder", desk.folder / "ca")
        assert blinkd(*words, state=desk.folder / "nowhere").code == 0
        given.clear()
        assert terminal.run("fleet", "install", pem, "--ca", desk.folder / "ca" / "ca.pem").code == 0
        assert sorted(given) == ["ca.pem", "terminal.pem"]


def test_status_says_whose_a_terminal_is_and_for_how_long(desk: Desk, terminal: Terminal) -> None:
    before = terminal.run("fleet", "status", "--json")
    assert (before.code, before.json["state"], before.json["organisation"]) == (0, "none", None)
    terminal.run("fleet", "install", desk.folder / "bundle", lines=(code_in(desk.issue("door-1", "--days", "20")),))
    trusted = {"BLINKD_TERMINAL__TRUST_HARDWARE_CLOCK": "true"}
    words = ("fleet", "status", "--json", "--config", terminal.folder / "blinkd.toml")
    after = blinkd(*words, state=terminal.folder / "state", **trusted)
    assert (after.code, after.json["state"], after.json["organisation"], after.json["terminal"]) == (1, "soon", "acme", "door-1")
    assert after.json["days"] in (19, 20)
    unsure = blinkd("fleet", "status", "--config", terminal.folder / "blinkd.toml", state=terminal.folder / "state")
    assert "acme/door-1: the certificate is valid until" in unsure.out
