"""Files of other projects that are served: unchanged, and all of them known."""

import hashlib
from pathlib import Path

import pytest

from blinkd.models.packages import Package, extract_member, fetch
from blinkd.serving.vendored import STATIC, VENDORED, Vendored

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("one", VENDORED, ids=lambda one: one.file)
def test_a_vendored_file_is_the_one_of_its_table(one: Vendored) -> None:
    assert hashlib.sha256(one.path.read_bytes()).hexdigest() == one.sha256
    assert f"{one.package} {one.version}" in (ROOT / "NOTICE").read_text(encoding="utf-8")


def test_a_library_comes_with_its_licence() -> None:
    libraries = {path.name for path in STATIC.glob("*.umd.js")}
    assert {name.removesuffix(".js") + ".LICENSE.md" for name in libraries} <= {one.file for one in VENDORED}
    assert libraries <= {one.file for one in VENDORED}


@pytest.mark.sources
@pytest.mark.parametrize("one", VENDORED, ids=lambda one: one.file)
def test_a_vendored_file_is_byte_for_byte_that_of_its_package(one: Vendored) -> None:
    archive = fetch(Package(one.package, "npm", one.version, one.archive, one.licence))
    assert extract_member(archive, one.member) == one.path.read_bytes()
