import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.crypto.envelope import LONGEST_KID, SIZES, TEMPLATE_SIZES, Envelope, pad, unpad
from blinkd.crypto.keyring import Keyring
from blinkd.crypto.sealing import MOST_CIPHERS, Sealer
from blinkd.errors import EnvelopeRejected

EPOCHS = ("00000001", "00000002")
TYPES = ("entry", "person", "template")
IDS = st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=40)


def keyring(organisation: str = "acme", current: str = EPOCHS[0]) -> Keyring:
    roots = {kid: bytearray([number] * 32) for number, kid in enumerate(EPOCHS)}
    return Keyring(organisation, current, roots, bytearray(range(32)), bytes(32))


HERE, THERE = Sealer(keyring(), "door-1"), Sealer(keyring(current=EPOCHS[1]), "door-2")


def refused(sealer: Sealer, envelope: Envelope, kind: str = "person", record: str = "r") -> str:
    with pytest.raises(EnvelopeRejected) as error:
        sealer.open(envelope, kind, record)
    return error.value.reason


@given(st.binary(max_size=5000), st.sampled_from(TYPES), IDS)
def test_what_one_terminal_seals_another_opens(content: bytes, kind: str, record: str) -> None:
    sealed = HERE.seal(kind, record, content)
    assert sealed.kid == "00000001.door-1"
    arrived = Envelope.of(json.loads(json.dumps(sealed.to_json())))
    assert arrived == sealed
    assert THERE.open(arrived, kind, record) == content


@given(st.binary(max_size=1023), st.sampled_from(["entry", "person"]))
def test_what_is_sealed_tells_its_size_class_only(content: bytes, kind: str) -> None:
    assert len(HERE.seal(kind, "r", content).ciphertext) == 1024


@pytest.mark.parametrize(("sizes", "kind"), [(SIZES, "person"), (SIZES, "entry"), (TEMPLATE_SIZES, "template")])
def test_each_size_is_filled_to_its_last_byte_but_one(sizes: tuple[int, ...], kind: str) -> None:
    for size, following in zip(sizes, (*sizes[1:], None), strict=True):
        full = HERE.seal(kind, "r", bytes(size - 1))
        assert len(full.ciphertext) == size
        assert THERE.open(full, kind, "r") == bytes(size - 1)
        if following is None:
            with pytest.raises(EnvelopeRejected) as error:
                HERE.seal(kind, "r", bytes(size))
            assert error.value.reason == "too_large"
        else:
            assert len(HERE.seal(kind, "r", bytes(size)).ciphertext) == following


@given(st.binary(max_size=3000).map(lambda content: content + b"\x80\x00\x00"), st.sampled_from([SIZES, TEMPLATE_SIZES]))
def test_padding_comes_off_whatever_the_content_ends_with(content: bytes, sizes: tuple[int, ...]) -> None:
    assert unpad(pad(content, sizes)) == content


def test_the_same_content_is_sealed_differently_each_time() -> None:
    sealed = [HERE.seal("person", "r", b"x") for _ in range(100)]
    assert len({one.iv for one in sealed}) == len({one.ciphertext for one in sealed}) == 100


def test_every_bit_flip_is_refused() -> None:
    sealed = HERE.seal("person", "r", b"content")
    for name in ("ciphertext", "iv", "tag"):
        part = getattr(sealed, name)
        for bit in range(len(part) * 8):
            flipped = bytearray(part)
            flipped[bit // 8] ^= 1 << bit % 8
            assert refused(THERE, replace(sealed, **{name: bytes(flipped)})) == "tampered"
    for bit in range(len(sealed.kid) * 8):
        kid = bytearray(sealed.kid.encode())
        kid[bit // 8] ^= 1 << bit % 8
        if kid.isascii():
            assert refused(THERE, replace(sealed, kid=kid.decode())) in {"tampered", "unknown_key"}
    assert refused(THERE, replace(sealed, v=1)) == "other_version"
    assert refused(THERE, replace(sealed, v=3)) == "other_version"


def test_an_envelope_moved_to_another_record_type_terminal_organisation_or_epoch_is_refused() -> None:
    sealed = HERE.seal("person", "r", b"content")
    assert THERE.open(sealed, "person", "r") == b"content"
    assert refused(THERE, sealed, record="r2") == "tampered"
    assert refused(THERE, sealed, kind="template") == "tampered"
    assert refused(THERE, sealed, kind="entry") == "tampered"
    assert refused(THERE, replace(sealed, kid="00000001.door-2")) == "tampered"
    assert refused(THERE, replace(sealed, kid="00000002.door-1")) == "tampered"
    assert refused(Sealer(keyring("acme2"), "door-1"), sealed) == "tampered"


@given(st.tuples(IDS, IDS), st.tuples(IDS, IDS))
def test_no_way_to_cut_type_and_record_gives_the_same_seal(one: tuple[str, str], two: tuple[str, str]) -> None:
    sealed = HERE.seal(*one, b"content")
    if one == two:
        assert THERE.open(sealed, *two) == b"content"
    else:
        assert refused(THERE, sealed, *two) == "tampered"


def test_an_epoch_that_is_not_known_yet_is_said_so() -> None:
    sealed = HERE.seal("person", "r", b"content")
    assert refused(THERE, replace(sealed, kid="00000003.door-1")) == "unknown_key"
    assert refused(THERE, replace(sealed, kid="none")) == "unknown_key"


def test_bad_padding_under_a_good_seal_is_refused() -> None:
    cipher = HERE._cipher("00000001.door-1", "person")
    for plain in (bytes(1024), b"x" * 1024, b"\x80" + b"\x01" * 1023):
        found = cipher.encrypt(bytes(12), plain, HERE._bound("00000001.door-1", "person", "r"))
        assert refused(THERE, Envelope(found[:-16], bytes(12), found[-16:], 2, "00000001.door-1")) == "bad_padding"


def test_a_rotation_is_heeded_at_the_next_envelope() -> None:
    keys = keyring()
    sealer = Sealer(keys, "door-1")
    before = sealer.seal("person", "r", b"x")
    keys.current = EPOCHS[1]
    after = sealer.seal("person", "r", b"x")
    assert [before.kid, after.kid] == ["00000001.door-1", "00000002.door-1"]
    assert THERE.open(before, "person", "r") == THERE.open(after, "person", "r") == b"x"


def test_envelopes_of_more_terminals_than_are_remembered_open_all_the_same() -> None:
    keys = keyring()
    reader = Sealer(keys, "reader")
    sealed = [Sealer(keys, f"t{number}").seal("entry", "r", b"x") for number in range(MOST_CIPHERS + 2)]
    for envelope in (*sealed, sealed[0]):
        assert reader.open(envelope, "entry", "r") == b"x"
    assert len(reader._ciphers) <= MOST_CIPHERS


GOOD = HERE.seal("person", "r", b"content").to_json()


def test_the_members_stand_in_the_origins_order() -> None:
    assert list(GOOD) == ["ciphertext", "iv", "tag", "v", "kid"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"v": 1}, "other_version"),
        ({"v": 3}, "other_version"),
        ({"v": True}, "other_version"),
        ({"v": 2.0}, "other_version"),
        ({"v": "2"}, "other_version"),
        ({"more": 1}, "malformed"),
        ({"kid": ""}, "malformed"),
        ({"kid": "x" * (LONGEST_KID + 1)}, "malformed"),
        ({"kid": "a\nb"}, "malformed"),
        ({"kid": "é"}, "malformed"),
        ({"kid": 7}, "malformed"),
        ({"iv": GOOD["tag"]}, "malformed"),
        ({"tag": GOOD["iv"]}, "malformed"),
        ({"iv": GOOD["iv"] + "\n"}, "malformed"),
        ({"ciphertext": GOOD["ciphertext"][:-4]}, "malformed"),
        ({"ciphertext": ""}, "malformed"),
        ({"ciphertext": None}, "malformed"),
        ({"tag": "A" * 21 + "B=="}, "malformed"),
    ],
)
def test_another_form_is_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(EnvelopeRejected) as error:
        Envelope.of(GOOD | change)
    assert error.value.reason == reason


def test_an_envelope_without_a_member_is_refused() -> None:
    for name in GOOD:
        with pytest.raises(EnvelopeRejected):
            Envelope.of({key: value for key, value in GOOD.items() if key != name})


def test_the_digest_changes_with_every_member() -> None:
    sealed = Envelope.of(GOOD)
    others = [
        replace(sealed, ciphertext=bytes(1024)),
        replace(sealed, iv=bytes(12)),
        replace(sealed, tag=bytes(16)),
        replace(sealed, v=3),
        replace(sealed, kid="x"),
    ]
    assert len({one.digest() for one in (sealed, *others)}) == 6
