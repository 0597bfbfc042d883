"""A card that was copied, and a message that got lost: what the relay really holds then, as the dashboard shows it."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from blinkd.attendance.punch import Direction, Punch, Punctuality, SyncState
from blinkd.crypto.sealing import Sealer
from tests.browser.dashboard.conftest import cards, opened, rows
from tests.browser.dashboard.organisation import NOW, Desk, Organisation, sealed_batch

BOOK = str(uuid.UUID(int=7))


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Organisation]:
    organisation = Organisation.begin(tmp_path / "acme")
    desk = organisation.terminal("door-1")
    for number in range(1, 6):
        organisation.enrol(desk, f"E-{number}", f"Person {number}", number)
    organisation.publish_keyring(desk)
    # the people go to the relay, the terminal's own book does not: these tests write it
    organisation.sync(desk, book=False)
    yield organisation
    organisation.close()


def genesis(desk: Desk) -> dict[str, Any]:
    return {"kind": "genesis", "book": BOOK, "key": desk.signer.public.hex()}


def came(desk: Desk, number: int) -> dict[str, Any]:
    subject = next(person.subject for person in desk.store.people.all() if person.id == f"E-{number}")
    utc = NOW - timedelta(minutes=60 - number)
    rest = ("synced", Direction.CHECK_IN, Punctuality.ON_TIME, 0, None, desk.name, 0.7, SyncState.PENDING)
    return Punch(f"id-{number}", number, subject, f"E-{number}", utc, float(number), "boot", *rest).content()


def number_of(page: Page, words: str) -> str:
    return next(count for what, count in rows(page, "#proof") if words in what)


def test_of_two_branches_the_one_that_came_first_counts_and_the_other_is_told_of(made: Organisation, page: Page) -> None:
    (desk,) = made.desks.values()
    sealer = Sealer(made.keys, desk.name)
    trunk, end = sealed_batch(desk, sealer, BOOK, [genesis(desk), came(desk, 1)])
    first, _ = sealed_batch(desk, sealer, BOOK, [came(desk, 2), came(desk, 3)], 2, end)
    other, _ = sealed_batch(desk, sealer, BOOK, [came(desk, 4), came(desk, 5)], 2, end)
    for batch in (trunk, first, other):
        assert not made.core.attendance(batch).rejected
    with made.served() as address:
        opened(page, address, made.token())
        assert {row[0] for row in rows(page, "#in-list")} == {"Person 1", "Person 2", "Person 3"}
        assert "fork" in page.locator("#chains").inner_text()
        assert "2 entries of the other branch count nowhere" in page.locator("#chains").inner_text()
        assert number_of(page, "another branch") == "2"
        assert "door-1: its chain is forked" in page.locator("#provisional").inner_text()
        assert (
            page.locator("#proof").get_by_text("No fault was found.").is_visible()
        )  # both branches are signed: nobody has forged anything


def test_what_lies_behind_a_gap_waits_and_is_told_of(made: Organisation, page: Page) -> None:
    (desk,) = made.desks.values()
    sealer = Sealer(made.keys, desk.name)
    trunk, end = sealed_batch(desk, sealer, BOOK, [genesis(desk), came(desk, 1)])
    lost, later = sealed_batch(desk, sealer, BOOK, [came(desk, 2)], 2, end)
    late, _ = sealed_batch(desk, sealer, BOOK, [came(desk, 3)], 3, later)
    for batch in (trunk, late):
        assert not made.core.attendance(batch).rejected
    with made.served() as address:
        opened(page, address, made.token())
        assert cards(page)["people"] == 1
        assert "gap: entry 2 is missing; 3 is here" in page.locator("#chains").inner_text()
        assert number_of(page, "behind a gap") == "2"
        made.core.attendance(lost)
        page.reload()
        opened(page, address, made.token())
        assert cards(page)["people"] == 3
        assert "gap" not in page.locator("#chains").inner_text()
