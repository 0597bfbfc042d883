"""A relay that shows something else than it was given: what the browser can find out, it says."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route

from tests.browser.dashboard.conftest import cards, enter, opened, rows

Change = Callable[[dict[str, Any]], None]


def altered(page: Page, name: str, change: Change) -> None:
    """Each answer of a route, changed on its way."""

    def handle(route: Route) -> None:
        answer = route.fetch()
        value = answer.json()
        change(value)
        route.fulfill(response=answer, body=json.dumps(value))

    page.route(f"**/api/v1/dashboard/{name}?*", handle)


def faults(page: Page) -> list[list[str]]:
    tables = page.locator("#proof table")
    return rows(page, "#proof table:has(caption:text-is('Faults'))") if tables.count() > 1 else []


def number(page: Page, words: str) -> int:
    return next(int(count) for what, count in rows(page, "#proof table:has(caption:text-is('Checked so far'))") if words in what)


def _left_out(value: dict[str, Any]) -> None:
    value["entries"] = [one for one in value["entries"] if one["seq"] != 7]


def _exchanged(value: dict[str, Any]) -> None:
    of = {one["seq"]: one for one in value["entries"]}
    of[7]["envelope"], of[8]["envelope"] = of[8]["envelope"], of[7]["envelope"]


def _reordered(value: dict[str, Any]) -> None:
    of = {one["seq"]: one for one in value["entries"]}
    of[7]["seq"], of[8]["seq"] = 8, 7


def _called_erased(value: dict[str, Any]) -> None:
    for one in value["entries"]:
        if one["seq"] == 7:
            one |= {"envelope": None, "missing": "erased"}


def _another_signature(value: dict[str, Any]) -> None:
    value["entries"][0]["signature"] = value["entries"][1]["signature"]


def _another_end(value: dict[str, Any]) -> None:
    value["entries"] = value["entries"][1:]


@pytest.mark.parametrize(
    ("change", "seq", "words"),
    [
        (_left_out, "7", "it is not there"),
        (_exchanged, "7", "another entry's"),
        (_reordered, "8", "it is not there"),
        (_called_erased, "7", "not signed by the terminal"),
        (_another_signature, None, "not signed by the terminal"),
        (_another_end, None, "it is not there"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_chain_that_was_tampered_with_is_shown_as_faulty(
    page: Page, few_at: str, token: str, change: Change, seq: str | None, words: str
) -> None:
    altered(page, "entries", change)
    opened(page, few_at, token)
    found = faults(page)
    assert found and {terminal for terminal, _, _ in found} == {"door-1", "door-2"}
    assert all(words in one for _, _, one in found if seq is None or one)
    assert seq is None or seq in {at for _, at, _ in found}
    assert page.locator("#proof").get_by_text("Faults were found").is_visible()
    assert page.locator("#chains").get_by_text("fault at entry").first.is_visible()
    assert "its chain has a fault at entry" in page.locator("#provisional").inner_text()


def test_the_same_relay_untouched_shows_no_fault(page: Page, few_at: str, token: str) -> None:
    opened(page, few_at, token)
    assert faults(page) == []
    assert number(page, "Signatures checked") == 2  # the newest of each chain
    assert number(page, "Deletions of people without") == 0


def test_a_person_under_anothers_name_does_not_open(page: Page, few_at: str, token: str) -> None:
    def swap(value: dict[str, Any]) -> None:
        first, second = [one for one in value["people"] if one["envelope"]][:2]
        first["id"], second["id"] = second["id"], first["id"]

    altered(page, "people", swap)
    opened(page, few_at, token)
    assert number(page, "People whose record does not open") == 2
    assert page.locator("#proof").get_by_text("Faults were found").is_visible()


def test_pages_of_people_that_never_end_are_not_followed(page: Page, few_at: str, token: str) -> None:
    altered(page, "people", lambda value: value.update(next_cursor="1"))
    opened(page, few_at, token)
    assert number(page, "People whose record does not open") == 1
    assert page.locator("#proof").get_by_text("Faults were found").is_visible()


def test_a_deletion_that_no_terminal_signed_is_counted(page: Page, few_at: str, token: str) -> None:
    altered(page, "people", lambda value: value["people"][0].update(envelope=None))
    opened(page, few_at, token)
    assert number(page, "Deletions of people without") == 1


def test_keys_of_an_epoch_that_is_not_in_the_keyring_are_missed_in_numbers(page: Page, few_at: str, token: str) -> None:
    def unknown(value: dict[str, Any]) -> None:
        for one in value["entries"][:3]:
            one["envelope"]["kid"] = "00000000." + one["envelope"]["kid"].partition(".")[2]

    altered(page, "entries", unknown)
    opened(page, few_at, token)
    assert number(page, "sealed by keys that are not in this keyring") == 6


def test_a_first_entry_that_does_not_open_leaves_signatures_unchecked_and_says_so(page: Page, few_at: str, token: str) -> None:
    def without(value: dict[str, Any]) -> None:
        for one in value["terminals"]:
            one["book"]["first"] = None

    altered(page, "books", without)
    opened(page, few_at, token)
    assert page.locator("#proof").get_by_text("Signatures are not checked for door-1, door-2").is_visible()


@pytest.mark.parametrize(("state", "words"), [("gap", "gap: entry 60 is missing"), ("fork", "fork: a card was copied")])
def test_a_gap_or_fork_that_the_relay_found_is_shown_with_the_terminal(page: Page, few_at: str, token: str, state: str, words: str) -> None:
    def told(value: dict[str, Any]) -> None:
        value["terminals"][0]["book"] |= {"state": state, "detail": words.partition(": ")[2], "stored": 70}

    altered(page, "books", told)
    opened(page, few_at, token)
    assert page.locator("#chains").get_by_text(words).is_visible()
    assert number(page, "behind a gap") > 0
    if state == "fork":
        assert page.locator("#provisional").get_by_text("door-1: its chain is forked").is_visible()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"organisation": "other"}, "another organisation's"),
        ({"kdf": {"name": "PBKDF2-HMAC-SHA256", "iterations": 1, "salt": ""}}, "unusual way to derive keys"),
        ({"wrapped": None}, "torn"),
    ],
)
def test_a_keyring_that_is_none_is_said(page: Page, few_at: str, token: str, change: dict[str, Any], words: str) -> None:
    altered(page, "keyring", lambda value: value["keyring"]["open"].update(change))
    enter(page, few_at, token)
    page.get_by_role("alert").get_by_text(words).wait_for()
    assert page.locator("#board").is_hidden()


def test_a_terminal_that_is_named_twice_counts_once(page: Page, few_at: str, token: str) -> None:
    altered(page, "books", lambda value: value["terminals"].extend(value["terminals"]))
    opened(page, few_at, token)
    assert cards(page) == {"in": 7, "people": 7, "late": 5, "punches": 7}
