import os
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from blinkd.crypto import keyfile
from blinkd.crypto.at_rest import TEMPLATE_KEY, TemplateCipher, template_key
from blinkd.crypto.keyfile import CREDENTIALS_VARIABLE
from blinkd.errors import KeyMissing, StoreError
from blinkd.vision.face import Embedding
from tests.unit.store.stores import at_once, mode

KEY = bytes(range(32))
IDS = ("template-1", "E-1", "model@1")
VECTOR = np.linspace(-1, 1, 8, dtype=np.float32)


@given(
    hnp.arrays(np.float32, st.integers(1, 512), elements=st.floats(-1, 1, width=32)),
    st.binary(min_size=32, max_size=32),
    st.tuples(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20)).filter(lambda ids: all(i.isprintable() for i in ids)),
)
def test_what_is_sealed_opens_as_it_was(vector: Embedding, key: bytes, ids: tuple[str, str, str]) -> None:
    cipher = TemplateCipher(key)
    sealed = cipher.seal(*ids, vector)
    opened = cipher.open(*ids, sealed)
    assert opened.dtype == np.float32
    assert opened.tobytes() == vector.tobytes()
    assert len(sealed) == 1 + 12 + vector.nbytes + 16


def test_every_single_bit_flip_is_refused() -> None:
    cipher = TemplateCipher(KEY)
    sealed = cipher.seal(*IDS, VECTOR)
    for bit in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(KeyMissing):
            cipher.open(*IDS, bytes(flipped))


def test_every_cut_is_refused() -> None:
    cipher = TemplateCipher(KEY)
    sealed = cipher.seal(*IDS, VECTOR)
    for length in range(len(sealed)):
        with pytest.raises(KeyMissing):
            cipher.open(*IDS, sealed[:length])


@pytest.mark.parametrize(
    "other",
    [
        ("template-2", "E-1", "model@1"),
        ("template-1", "E-2", "model@1"),
        ("template-1", "E-1", "model@2"),
        ("template-1E", "-1", "model@1"),  # the same letters, cut elsewhere
        ("E-1", "template-1", "model@1"),
    ],
)
def test_a_record_moved_elsewhere_does_not_open(other: tuple[str, str, str]) -> None:
    cipher = TemplateCipher(KEY)
    with pytest.raises(KeyMissing, match=f"template {other[0]} of person {other[1]}"):
        cipher.open(*other, cipher.seal(*IDS, VECTOR))


def test_another_key_does_not_open() -> None:
    with pytest.raises(KeyMissing, match=r"put the right template.key back"):
        TemplateCipher(bytes(32)).open(*IDS, TemplateCipher(KEY).seal(*IDS, VECTOR))


def test_the_same_vector_never_looks_the_same() -> None:
    cipher = TemplateCipher(KEY)
    assert len({cipher.seal(*IDS, VECTOR)[1:13] for _ in range(200)}) == 200


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CREDENTIALS_VARIABLE, raising=False)


def test_a_key_is_made_once_random_and_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    before = os.umask(0)
    try:
        key = template_key(tmp_path, create=True)
    finally:
        os.umask(before)
    assert template_key(tmp_path, create=True) == template_key(tmp_path, create=False) == key
    assert len(key) == 32
    assert key != template_key(tmp_path / "other", create=True)
    assert stat.S_IMODE((tmp_path / TEMPLATE_KEY.file).stat().st_mode) == 0o600
    assert {file.name for file in tmp_path.iterdir()} == {TEMPLATE_KEY.file, "other"}


def test_a_missing_key_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(KeyMissing, match=r"template.key: the key of the stored templates is missing"):
        template_key(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o644, 0o666, 0o610])
def test_a_key_that_others_may_touch_is_refused_with_the_command_that_mends_it(tmp_path: Path, bits: int) -> None:
    key = template_key(tmp_path, create=True)
    (tmp_path / TEMPLATE_KEY.file).chmod(bits)
    with pytest.raises(KeyMissing, match=f"chmod 600 {tmp_path / TEMPLATE_KEY.file}"):
        template_key(tmp_path, create=True)
    assert (tmp_path / TEMPLATE_KEY.file).read_bytes() == key


@pytest.mark.parametrize("length", [0, 1, 31, 33])
def test_a_torn_key_is_refused_and_kept(tmp_path: Path, length: int) -> None:
    (tmp_path / TEMPLATE_KEY.file).write_bytes(b"k" * length)
    (tmp_path / TEMPLATE_KEY.file).chmod(0o600)
    with pytest.raises(KeyMissing, match=f"{length} bytes instead of 32"):
        template_key(tmp_path, create=True)
    assert (tmp_path / TEMPLATE_KEY.file).read_bytes() == b"k" * length


def test_a_key_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    template_key(tmp_path, create=True)
    with mode(tmp_path / TEMPLATE_KEY.file, 0o000), pytest.raises(KeyMissing, match="cannot be read"):
        template_key(tmp_path, create=False)
    with mode(tmp_path, 0o000), pytest.raises(KeyMissing, match="cannot be read"):
        template_key(tmp_path, create=False)


def test_systemds_credential_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = template_key(tmp_path, create=True)
    handed = tmp_path / "credentials"
    handed.mkdir()
    monkeypatch.setenv(CREDENTIALS_VARIABLE, str(handed))
    assert template_key(tmp_path, create=False) == own  # a unit with other credentials only
    (handed / TEMPLATE_KEY.credential).write_bytes(KEY)
    assert template_key(tmp_path, create=False) == KEY
    (handed / TEMPLATE_KEY.credential).write_bytes(KEY[:5])
    with pytest.raises(KeyMissing, match=f"{TEMPLATE_KEY.credential}: 5 bytes"):
        template_key(tmp_path, create=False)


def test_a_credential_needs_no_file_in_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / TEMPLATE_KEY.credential).write_bytes(KEY)
    monkeypatch.setenv(CREDENTIALS_VARIABLE, str(tmp_path))
    assert template_key(tmp_path / "state", create=True) == KEY
    assert not (tmp_path / "state").exists()


def test_processes_that_make_the_key_at_once_get_the_same(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from blinkd.crypto.at_rest import template_key\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(template_key(Path(sys.argv[1]), create=True).hex())\n"
    )
    keys = {child.stdout.strip() for child in at_once(code, [[str(tmp_path)]] * 4)}
    assert keys == {(tmp_path / TEMPLATE_KEY.file).read_bytes().hex()}
    assert [file.name for file in tmp_path.iterdir()] == [TEMPLATE_KEY.file]


def test_a_slower_process_takes_the_key_of_the_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = keyfile._write_synced

    def overtaken(path: Path, content: bytes) -> None:
        real(path, content)
        (tmp_path / TEMPLATE_KEY.file).write_bytes(KEY)
        (tmp_path / TEMPLATE_KEY.file).chmod(0o600)

    monkeypatch.setattr(keyfile, "_write_synced", overtaken)
    assert template_key(tmp_path, create=True) == KEY
    assert [file.name for file in tmp_path.iterdir()] == [TEMPLATE_KEY.file]


def test_a_disk_too_full_for_the_key_is_named_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="No space left on device; free some space"):
            template_key(tmp_path, create=True)
        assert list(tmp_path.iterdir()) == []
    assert len(template_key(tmp_path, create=True)) == 32
