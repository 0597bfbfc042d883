"""What a terminal takes in, and what it refuses without changing anything."""

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blinkd.crypto.authority import CA_FILE
from blinkd.crypto.box import Box
from blinkd.crypto.installation import TERMINAL_FILE, admit
from blinkd.crypto.keyfile import write_whole
from blinkd.crypto.request import TLS_KEY_FILE
from blinkd.crypto.signing import Signer
from blinkd.crypto.unlocked import KEYRING_KEY, PORTABLE_FILE, UNLOCKED_FILE, load, load_file, unlock
from blinkd.errors import BlinkdError, BundleRefused, CertificateRefused, ConfigError, KeyMissing, WrongPassword
from blinkd.fleet.arrival import Given, Here
from blinkd.fleet.bundle import Bundle
from blinkd.settings_file import load_settings
from tests.unit.fleet.site import NOW, PASSWORD, Door, Site, at

IN_1970 = datetime(1970, 1, 1, 0, 5, tzinfo=UTC)


def refused(door: Door, bundle: Bundle, given: Given, words: str, *, now: datetime = NOW, kind: type[BlinkdError] = BundleRefused) -> None:
    """By `examine`, which writes nothing."""
    before = door.files()
    with pytest.raises(kind, match=words):
        door.examine(bundle, given, at(now))
    assert door.files() == before


def test_a_bundle_with_its_code_makes_a_terminal_of_an_empty_folder(site: Site, door: Door) -> None:
    bundle, code = site.whole()
    door.install(bundle, Given(code=code))
    folder = door.here.state_dir
    assert {path.name for path in folder.iterdir()} == {
        "signing.key", "box.key", TLS_KEY_FILE, CA_FILE, TERMINAL_FILE, PORTABLE_FILE, UNLOCKED_FILE, KEYRING_KEY.file, "bundle.json",
    }  # fmt: skip
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    with site.keyring.opened(PASSWORD) as secret:
        assert load(folder) == unlock(site.keyring, secret)
    settings = load_settings(door.here.config_file)
    assert (settings.terminal.id, settings.sync.broker) == ("door-1", "mqtt.example")
    assert stat.S_IMODE(door.here.config_file.stat().st_mode) == 0o640


def test_a_bundle_that_answers_a_request_leaves_the_keys_alone(site: Site, door: Door) -> None:
    bundle = site.answer(door.request())
    keys = door.files()
    refused(door, bundle, Given(), f'--authority "{site.fingerprint}"')
    refused(door, bundle, Given(authority="0000"), "another authority's bundle")
    found = door.install(bundle, Given(authority=site.fingerprint.upper()))
    assert keys.items() <= door.files().items()
    assert (found.certificate.signing, found.certificate.box) == (
        Signer.load(door.here.state_dir, create=False).public,
        Box.load(door.here.state_dir, create=False).public,
    )
    door.install(site.answer(door.request()), Given())  # the authority is known from now on


def test_the_same_bundle_again_changes_no_more(site: Site, door: Door) -> None:
    bundle, code = site.whole()
    door.install(bundle, Given(code=code))
    before = door.files()
    door.install(bundle, Given(code=code))
    after = door.files()
    sealed = f"state/{UNLOCKED_FILE}"  # sealed anew, by another nonce
    assert {**before, sealed: b""} == {**after, sealed: b""}


def test_another_terminals_bundle_is_refused(site: Site, door: Door, tmp_path: Path) -> None:
    door.install(*_whole(site, "door-1"))
    refused(door, *_whole(site, "door-2"), "keys of its own")
    refused(door, site.answer(Door.new(tmp_path / "door-3").request("door-3")), Given(), "other signing or box keys")
    other = Door.new(tmp_path / "named", '[terminal]\nid = "door-7"\n')
    refused(other, *_whole(site, "door-8"), r"for acme/door-8, and this terminal is called door-7")


def test_a_name_by_a_variable_counts_too(site: Site, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLINKD_TERMINAL__ID", "door-5")
    refused(door, *_whole(site, "door-6"), "BLINKD_TERMINAL__ID")


def test_a_bundle_past_its_date_is_refused_where_the_clock_is_known_to_be_right(site: Site, door: Door) -> None:
    bundle, given = _whole(site)
    refused(door, bundle, given, "has expired", now=NOW + timedelta(days=31))
    refused(door, bundle, given, "not valid yet", now=NOW - timedelta(days=3))
    door.examine(bundle, given, at(NOW - timedelta(hours=20)))


def test_a_clock_in_1970_judges_no_dates_and_says_so(site: Site, door: Door) -> None:
    bundle, given = _whole(site)
    arrival = door.install(bundle, given, at(IN_1970, "unsynced"))
    assert "dates were not judged" in arrival.notes[0]
    assert (door.here.state_dir / TERMINAL_FILE).exists()


def test_a_bundle_from_before_this_program_was_made_has_expired_whatever_the_clock_says(site: Site, door: Door) -> None:
    bundle, code = site.whole(now=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(BundleRefused, match="has expired"):
        door.examine(bundle, Given(code=code), at(IN_1970, "unsynced"))


def test_another_organisations_bundle_is_refused(site: Site, door: Door, tmp_path: Path) -> None:
    rival = Site.begun(tmp_path / "rival", "rival")
    door.install(*_whole(site))
    refused(door, *_whole(rival), "of rival, this terminal belongs to acme")
    refused(door, rival.answer(door.request("door-2", "rival")), Given(), "of rival, this terminal belongs to acme")


def test_a_second_authority_of_the_same_name_is_refused(site: Site, door: Door, tmp_path: Path) -> None:
    door.install(*_whole(site))
    pretender = Site(Site.begun(tmp_path / "other").authority, site.keyring)
    answered = pretender.answer(door.request())
    refused(door, answered, Given(), "another authority is installed")
    refused(door, answered, Given(authority=pretender.fingerprint), "another authority is installed")


def test_a_keyring_that_is_another_one_of_the_same_name_is_refused(site: Site, door: Door, tmp_path: Path) -> None:
    door.install(*_whole(site))
    other = Site(site.authority, Site.begun(tmp_path / "other").keyring)
    refused(door, other.answer(door.request()), Given(), "another one of acme")


def test_an_older_bundle_does_not_take_the_place_of_a_newer_one(site: Site, door: Door) -> None:
    request = door.request()
    older, newer = site.answer(request, now=NOW - timedelta(hours=1)), site.answer(request)
    door.install(newer, Given(authority=site.fingerprint))
    refused(door, older, Given(), "bring the newest one")


def test_a_keyring_that_has_grown_at_the_terminal_stays(site: Site, door: Door) -> None:
    rotated = site.keyring.rotated(PASSWORD, NOW.date())
    door.install(site.answer(door.request(), keyring=rotated), Given(authority=site.fingerprint))
    arrival = door.install(site.answer(door.request(), now=NOW + timedelta(seconds=5)), Given(), at(NOW + timedelta(seconds=5)))
    assert "stays" in " ".join(arrival.notes)
    assert load_file(door.here.state_dir / PORTABLE_FILE) == rotated
    assert load(door.here.state_dir).roots.keys() == {epoch.kid for epoch in rotated.epochs}


def test_a_newer_keyring_keeps_the_epochs_that_only_the_terminal_has(site: Site, door: Door) -> None:
    rotated = site.keyring.rotated(PASSWORD, NOW.date())
    without = rotated.without(PASSWORD, site.keyring.current)
    door.install(site.answer(door.request()), Given(authority=site.fingerprint))
    later = NOW + timedelta(seconds=5)
    door.install(site.answer(door.request(), keyring=without, now=later), Given(), at(later))
    held = load(door.here.state_dir)
    assert (held.roots.keys(), held.current) == ({site.keyring.current, rotated.current}, rotated.current)


def test_a_locked_bundle_asks_for_the_organisation_password(site: Site, door: Door) -> None:
    bundle, code = site.whole(locked=True)
    refused(door, bundle, Given(code=code), "opens by the organisation password")
    refused(door, bundle, Given(code=code, password="wrong"), "organisation password", kind=WrongPassword)
    door.install(bundle, Given(code=code, password=PASSWORD))
    with site.keyring.opened(PASSWORD) as secret:
        assert load(door.here.state_dir) == unlock(site.keyring, secret)


def test_a_code_is_wanted_and_must_be_the_right_one(site: Site, door: Door) -> None:
    (bundle, _), (_, other) = site.whole("door-1"), site.whole("door-2")
    refused(door, bundle, Given(), "opens by the code")
    refused(door, bundle, Given(code=other), "code is that of another bundle")
    refused(door, bundle, Given(code="hello"), "5 characters instead of 20")


def test_a_terminal_without_keys_or_keyring_is_told_which_way_to_go(site: Site, door: Door, tmp_path: Path) -> None:
    bundle = site.answer(Door.new(tmp_path / "other").request())
    refused(door, bundle, Given(authority=site.fingerprint), r"signing\.key", kind=KeyMissing)
    bare = replace(bundle, keyring=None, grants={})
    bare = replace(bare, signature=site.authority.sign(bare.signed()))
    door.request()
    refused(door, bare, Given(authority=site.fingerprint), "other signing or box keys", kind=BundleRefused)
    own = replace(site.answer(door.request("door-2")), keyring=None, grants={})
    own = replace(own, signature=site.authority.sign(own.signed()))
    refused(door, own, Given(authority=site.fingerprint), "has no keyring and the bundle brings none")


def test_a_certificate_of_another_tls_key_is_refused(site: Site, door: Door) -> None:
    bundle = site.answer(door.request())
    (door.here.state_dir / TLS_KEY_FILE).unlink()
    door.request()
    refused(door, bundle, Given(authority=site.fingerprint), f"another TLS key than {TLS_KEY_FILE}")


def test_a_certificate_of_another_authority_inside_is_refused(site: Site, door: Door, tmp_path: Path) -> None:
    other = Site.begun(tmp_path / "other")
    request = door.request()
    mixed = replace(site.answer(request), certificate=other.answer(request).certificate)
    mixed = replace(mixed, signature=site.authority.sign(mixed.signed()))
    refused(door, mixed, Given(authority=site.fingerprint), "not signed by the organisation's authority", kind=CertificateRefused)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda here: here.state_dir.chmod(0o777), "chmod 700"),
        (lambda here: here.state_dir.rename(here.state_dir.with_name("gone")), "install blinkd first"),
        (lambda here: (here.state_dir.rename(here.state_dir.with_name("gone")), here.state_dir.touch()), "is no folder"),
        (lambda here: (here.config_file.write_text("[sync]\nport = 1883\n"), here.config_file.chmod(0o666)), "chmod o-w"),
        (lambda here: here.config_file.write_text("[sync\n"), "not valid TOML"),
        (lambda here: here.config_file.write_bytes(b"\xff"), "cannot be read"),
        (lambda here: here.config_file.write_text("sync.port = 1\n"), "write these settings into it yourself"),
    ],
)
def test_a_place_that_is_not_in_order_is_named_with_the_remedy(site: Site, door: Door, spoil: Callable[[Here], object], words: str) -> None:
    spoil(door.here)
    refused(door, *_whole(site), words)


def test_another_user_than_the_folders_owner_is_told_to_be_root(site: Site, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: door.here.state_dir.stat().st_uid + 1)
    refused(door, *_whole(site), "sudo")


def test_settings_that_contradict_the_technicians_are_refused_by_their_place(site: Site, tmp_path: Path) -> None:
    door = Door.new(tmp_path / "d", "[liveness]\near_closed = 0.25\near_open = 0.30\n[camera]\nfsp = 3\n")
    refused(door, *_whole(site), r"blinkd\.toml: at 'camera\.fsp'", kind=ConfigError)
    bundle, code = site.whole("door-2", settings="[liveness]\near_open = 0.2\near_closed = 0.3\n")
    refused(Door.new(tmp_path / "e"), bundle, Given(code=code), "ear_open", kind=ConfigError)


def test_what_the_technician_has_set_stays_and_is_said(site: Site, tmp_path: Path) -> None:
    door = Door.new(tmp_path / "d", '[sync]\nbroker = "mine.example"  # mine\n')
    arrival = door.install(*_whole(site))
    assert 'broker = "mine.example"  # mine' in door.here.config_file.read_text()
    assert any("sync.broker stays" in note for note in arrival.notes)


def test_files_get_the_owner_and_the_settings_keep_theirs(site: Site, tmp_path: Path) -> None:
    door = Door.new(tmp_path / "d", "")
    door.here.config_file.chmod(0o644)
    arrival = replace(door, here=replace(door.here, owner=(77, 78))).examine(*_whole(site))
    by_name = {place.target.name: place for place in arrival.places}
    config = by_name.pop("blinkd.toml")
    assert (config.mode, config.owner) == (0o644, (os.getuid(), os.getgid()))
    assert {(place.mode, place.owner) for place in by_name.values()} == {(0o600, (77, 78))}


def test_a_symbolic_link_to_the_settings_stays_one(site: Site, door: Door, tmp_path: Path) -> None:
    real = tmp_path / "real.toml"
    real.touch()
    door.here.config_file.symlink_to(real)
    door.install(*_whole(site))
    assert door.here.config_file.is_symlink()
    assert "door-1" in real.read_text()


def test_a_terminal_that_joined_by_hand_takes_a_bundle_for_its_next_certificate(site: Site, door: Door) -> None:
    with site.keyring.opened(PASSWORD) as secret:
        admit(door.here.state_dir, "door-1", site.authority, site.keyring, unlock(site.keyring, secret))
    write_whole(door.here.config_file, b'[terminal]\nid = "door-1"\n')
    before = (door.here.state_dir / TERMINAL_FILE).read_bytes()
    door.install(site.answer(door.request()), Given())
    assert (door.here.state_dir / TERMINAL_FILE).read_bytes() != before


def _whole(site: Site, terminal: str = "door-1") -> tuple[Bundle, Given]:
    bundle, code = site.whole(terminal)
    return bundle, Given(code=code)
