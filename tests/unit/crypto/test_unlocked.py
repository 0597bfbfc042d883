import json
import os
import stat
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from blinkd.crypto.encoding import b64
from blinkd.crypto.keyfile import CREDENTIALS_VARIABLE
from blinkd.crypto.keyring import Keyring, KeyringFile
from blinkd.crypto.unlocked import KEYRING_KEY, PORTABLE_FILE, UNLOCKED_FILE, has_keyring, keep, load, load_file, unlock
from blinkd.errors import KeyMissing, KeyringRefused, StoreError
from tests.unit.store.stores import at_once

PASSWORD, DAY = "correct horse battery staple", date(2026, 1, 2)

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def file(quick: None) -> KeyringFile:  # noqa: ARG001  with few rounds
    return KeyringFile.create("acme", PASSWORD, DAY)


@pytest.fixture
def keyring(file: KeyringFile) -> Keyring:
    with file.opened(PASSWORD) as opened:
        return unlock(file, opened)


@pytest.fixture
def no_rights() -> Iterator[None]:
    before = os.umask(0o777)
    yield
    os.umask(before)


def test_a_terminal_starts_with_the_keys_that_it_kept_and_without_the_password(tmp_path: Path, file: KeyringFile, keyring: Keyring) -> None:
    assert not has_keyring(tmp_path)
    keep(tmp_path, file, keyring)
    assert has_keyring(tmp_path)
    assert load(tmp_path) == keyring
    assert load_file(tmp_path / PORTABLE_FILE) == file


def test_what_is_kept_shows_no_secret(tmp_path: Path, file: KeyringFile, keyring: Keyring) -> None:
    keep(tmp_path, file, keyring)
    with file.opened(PASSWORD) as opened:
        secrets = [*opened.roots.values(), opened.index, opened.admin]
        for path in tmp_path.iterdir():
            content = path.read_bytes()
            for secret in secrets:
                assert bytes(secret) not in content
                assert b64(secret).encode() not in content
                assert secret.hex().encode() not in content


def test_the_administrators_key_is_not_unlocked(tmp_path: Path, file: KeyringFile, keyring: Keyring) -> None:
    keep(tmp_path, None, keyring)
    assert not (tmp_path / PORTABLE_FILE).exists()
    found = load(tmp_path)
    with file.opened(PASSWORD) as opened:
        assert opened.admin not in [*found.roots.values(), found.index, found.admin]


@pytest.mark.usefixtures("no_rights")
def test_only_the_owner_reads_the_files_whatever_the_umask(tmp_path: Path, file: KeyringFile, keyring: Keyring) -> None:
    keep(tmp_path, file, keyring)
    assert {path.name for path in tmp_path.iterdir()} == {KEYRING_KEY.file, PORTABLE_FILE, UNLOCKED_FILE}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_every_bit_flip_is_refused(tmp_path: Path, keyring: Keyring) -> None:
    keep(tmp_path, None, keyring)
    path = tmp_path / UNLOCKED_FILE
    whole = path.read_bytes()
    for bit in range((len(whole) - 1) * 8):  # the last byte is a line feed
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises((KeyMissing, KeyringRefused)):
            load(tmp_path)
    path.write_bytes(whole)
    assert load(tmp_path) == keyring


def test_a_torn_file_is_said_with_its_name_and_remedy(tmp_path: Path, keyring: Keyring) -> None:
    keep(tmp_path, None, keyring)
    path = tmp_path / UNLOCKED_FILE
    whole = path.read_bytes()
    for length in range(len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(KeyringRefused, match=r"keyring\.sealed: torn.*keys join"):
            load(tmp_path)


@pytest.mark.parametrize("text", ["[]", "7", "null", '{"v":1}', "[" * 100_000, '{"v":NaN}', '"\\ud800"'])
def test_what_is_no_keyring_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / UNLOCKED_FILE).write_text(text)
    with pytest.raises(KeyringRefused):
        load(tmp_path)


@pytest.mark.parametrize(("name", "new"), [("organisation", "other"), ("current", "00000000"), ("v", 2), ("v", True)])
def test_no_open_member_can_be_edited(tmp_path: Path, keyring: Keyring, name: str, new: object) -> None:
    keep(tmp_path, None, keyring)
    path = tmp_path / UNLOCKED_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: new}))
    with pytest.raises((KeyMissing, KeyringRefused)):
        load(tmp_path)


def test_the_key_of_another_terminal_opens_nothing(tmp_path: Path, keyring: Keyring) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        keep(tmp_path / name, None, keyring)
    (tmp_path / "a" / KEYRING_KEY.file).write_bytes((tmp_path / "b" / KEYRING_KEY.file).read_bytes())
    with pytest.raises(KeyMissing, match="does not open"):
        load(tmp_path / "a")
    (tmp_path / "a" / KEYRING_KEY.file).unlink()
    with pytest.raises(KeyMissing, match="keys join"):
        load(tmp_path / "a")


def test_a_terminal_without_a_keyring_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(KeyMissing, match=r"keys init.*keys join"):
        load(tmp_path)


def test_a_credential_of_systemd_is_used_and_no_key_is_written(tmp_path: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials, state = tmp_path / "credentials", tmp_path / "state"
    credentials.mkdir()
    state.mkdir()
    (credentials / KEYRING_KEY.credential).write_bytes(bytes(range(32)))
    monkeypatch.setenv(CREDENTIALS_VARIABLE, str(credentials))
    keep(state, None, keyring)
    assert {path.name for path in state.iterdir()} == {UNLOCKED_FILE}
    assert load(state) == keyring
    monkeypatch.delenv(CREDENTIALS_VARIABLE)
    with pytest.raises(KeyMissing):
        load(state)


KEEP = """
import sys
from pathlib import Path
from blinkd.crypto.keyring import Keyring
from blinkd.crypto.unlocked import keep
state, mark = Path(sys.argv[1]), int(sys.argv[2])
keyring = Keyring("acme", "00000001", {"00000001": bytearray([mark] * 32)}, bytearray([mark] * 32), bytes([mark] * 32))
print("ready", flush=True)
input()
for _ in range(20):
    keep(state, None, keyring)
"""


def test_processes_that_keep_at_once_leave_one_whole_keyring(tmp_path: Path) -> None:
    for done in at_once(KEEP, [[str(tmp_path), str(mark)] for mark in (1, 2, 3)]):
        assert done.returncode == 0, done.stderr
    found = load(tmp_path)
    assert bytes(found.index) == bytes(found.roots["00000001"]) == found.admin
    assert found.admin[0] in {1, 2, 3}
    assert {path.name for path in tmp_path.iterdir()} == {KEYRING_KEY.file, UNLOCKED_FILE}


def test_a_folder_that_cannot_be_written_leaves_the_old_keyring(tmp_path: Path, file: KeyringFile, keyring: Keyring) -> None:
    keep(tmp_path, file, keyring)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / UNLOCKED_FILE).unlink()
    (tmp_path / UNLOCKED_FILE).mkdir()
    (tmp_path / UNLOCKED_FILE / "in the way").touch()
    with pytest.raises(StoreError, match=r"keyring\.sealed"):
        keep(tmp_path, file, keyring)
    assert {path.name for path in tmp_path.iterdir()} == set(before)


def test_the_iv_is_a_new_one_each_time(tmp_path: Path, keyring: Keyring) -> None:
    seen = set()
    for _ in range(3):
        keep(tmp_path, None, keyring)
        seen.add(json.loads((tmp_path / UNLOCKED_FILE).read_text())["iv"])
    assert len(seen) == 3
