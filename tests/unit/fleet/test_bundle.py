"""The file: what it holds, and that nobody can change it unnoticed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blinkd.crypto.box import Box, seal_to
from blinkd.crypto.unlocked import unlock
from blinkd.errors import BundleRefused
from blinkd.fleet.bundle import MOST_BYTES, Bundle
from blinkd.fleet.making import open_grants, open_keys
from tests.unit.fleet.site import PASSWORD, Door, Site


@pytest.fixture
def made(site: Site) -> Bundle:
    return site.whole()[0]


SAME_FIXTURES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def test_a_bundle_reads_as_it_was_written(site: Site, door: Door) -> None:
    for bundle in (site.whole()[0], site.answer(door.request("door-2"))):
        assert Bundle.parse(bundle.to_bytes()) == bundle


def test_the_code_opens_the_keys_and_the_keys_open_the_keyring_without_the_administrators(site: Site) -> None:
    bundle, code = site.whole()
    keys = open_keys(bundle, code.lower())
    with site.keyring.opened(PASSWORD) as secret:
        assert open_grants(bundle, Box(keys.box)) == unlock(site.keyring, secret)
        for hidden in (keys.signing, keys.box, bytes(secret.admin), *map(bytes, secret.roots.values()), keys.tls):
            assert hidden not in bundle.to_bytes()


def test_another_code_and_another_box_open_nothing(site: Site) -> None:
    (one, _), (_, other) = site.whole("door-1"), site.whole("door-2")
    with pytest.raises(BundleRefused, match="code is that of another bundle"):
        open_keys(one, other)
    with pytest.raises(BundleRefused, match="another terminal's box"):
        open_grants(one, Box(bytes([7] * 32)))


@SAME_FIXTURES
@given(place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_is_noticed(made: Bundle, place: int, bit: int) -> None:
    content = bytearray(made.to_bytes())
    content[place % (len(content) - 1)] ^= 1 << bit
    with pytest.raises(BundleRefused):
        Bundle.parse(bytes(content))


@SAME_FIXTURES
@given(length=st.integers(min_value=0))
def test_a_torn_file_is_noticed(made: Bundle, length: int) -> None:
    content = made.to_bytes()
    with pytest.raises(BundleRefused, match="torn"):
        Bundle.parse(content[: length % (len(content) - 2)])


def test_a_member_of_another_bundle_fits_nowhere_else(site: Site) -> None:
    one, other = site.whole("door-1")[0], site.whole("door-2")[0]
    for name in ("terminal", "certificate", "keys", "grants", "expires", "signature", "settings"):
        changed = replace(one, **{name: getattr(other, name)} if name != "settings" else {"settings": "[camera]\nfps = 1.0\n"})
        if changed != one:
            with pytest.raises(BundleRefused, match="changed since the authority signed it"):
                Bundle.parse(changed.to_bytes())


def test_a_bundle_of_a_newer_form_says_what_to_upgrade(made: Bundle) -> None:
    value = json.loads(made.to_bytes()) | {"v": 2, "made_by": "9.9.9", "more": 1}
    with pytest.raises(BundleRefused, match=r"newer blinkd \(9\.9\.9\).*upgrade this terminal"):
        Bundle.of(value)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b"[" * 100_000, b"\xff\xfe", b'{"kind":"blinkd bundle"}', b'{"kind":"blinkd bundle","v":1}']
)
def test_what_is_no_bundle_is_refused(content: bytes) -> None:
    with pytest.raises(BundleRefused, match="torn"):
        Bundle.parse(content)


def test_a_file_that_cannot_be_a_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match=r"gone\.json: cannot be read"):
        Bundle.load(tmp_path / "gone.json")
    (tmp_path / "long").write_bytes(bytes(MOST_BYTES + 1))
    with pytest.raises(BundleRefused, match="long: longer than"):
        Bundle.load(tmp_path / "long")


def test_keys_that_the_administrator_has_not_signed_are_refused_though_the_authority_has(site: Site) -> None:
    (one, code), (other, _) = site.whole("door-1"), site.whole("door-2")
    box = Box(open_keys(one, code).box)
    own = {name: seal_to(box.public, "acme", name, "door-1", bytes([9] * 32)) for name in one.grants}
    for changed in (replace(one, grants=own), replace(one, admin=other.admin), replace(one, admin=b""), replace(one, terminal="door-3")):
        forged = replace(changed, signature=site.authority.sign(changed.signed()))
        assert Bundle.parse(forged.to_bytes()) == forged, "who has stolen the authority's key can make this"
        with pytest.raises(BundleRefused, match="not from the administrator of acme"):
            open_grants(forged, box)


def test_settings_that_no_terminal_could_take_are_refused_before_a_certificate_is_given_out(site: Site, tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match=r"did you mean 'camera\.fps'"):
        site.whole(settings="[camera]\nfsp = 10\n")
    with pytest.raises(BundleRefused, match="keyring is of rival"):
        Site(site.authority, Site.begun(tmp_path / "rival", "rival").keyring).whole()
    assert site.authority.issued() == []
