"""What the desk keeps in memory: forms of ended sessions, what a page says once, and pages of long lists. All of it bounded."""

from typing import Any

import pytest
from fastapi import Request

from blinkd.web.admin.kept_forms import KEPT_S, MOST_KEPT, KeptForms
from blinkd.web.admin.notices import MOST_EACH, MOST_SESSIONS, Notice, Notices
from blinkd.web.admin.paging import Paging

TOKEN, NEW = b"t" * 32, b"n" * 32


def request(query: str) -> Request:
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/admin/x",
        "query_string": query.encode(),
        "headers": [],
        "server": ("h", 1),
    }
    return Request(scope)


def test_a_form_is_handed_over_to_whose_it_is_and_forgotten_for_others() -> None:
    kept = KeptForms()
    kept.keep(TOKEN, 1, "/admin/x", {"a": ("1", "2"), "csrf": ("x",)}, 10)
    assert kept.hand_over(TOKEN, NEW, 1)
    form = kept.of(NEW, 11)
    assert form is not None
    assert (form.path, form.fields, form.lacks_secrets) == ("/admin/x", {"a": ("1", "2")}, False)
    assert not kept.hand_over(NEW, TOKEN, 2)
    assert kept.of(NEW, 11) is None
    assert not kept.hand_over(b"none", NEW, 1)


@pytest.mark.parametrize("name", ["password", "password_new", "pin", "person.pin", "CODE"])
def test_secrets_are_not_kept_and_that_is_known(name: str) -> None:
    kept = KeptForms()
    kept.keep(TOKEN, 1, "/admin/x", {name: ("a secret",), "spinning": ("kept",)}, 0)
    form = kept.of(TOKEN, 0)
    assert form is not None
    assert form.lacks_secrets
    assert "a secret" not in str(form)
    assert form.fields["spinning"] == ("kept",)


def test_forms_are_few_and_do_not_stay() -> None:
    kept = KeptForms()
    for number in range(MOST_KEPT + 1):
        kept.keep(bytes([number]), 1, "/admin/x", {}, 0)
    assert kept.of(bytes([0]), 0) is None
    assert kept.of(bytes([1]), KEPT_S) is not None
    assert kept.of(bytes([1]), KEPT_S + 1) is None
    kept.drop(bytes([2]))
    assert kept.of(bytes([2]), 0) is None


def test_what_is_said_is_said_once_and_to_its_session() -> None:
    notices = Notices()
    notices.say("a", "ok", "Saved.")
    assert notices.take("b") == []
    assert notices.take("a") == [Notice("ok", "Saved.")]
    assert notices.take("a") == []
    for number in range(MOST_EACH + 1):
        notices.say("a", "warn", str(number))
    assert [one.words for one in notices.take("a")] == [str(number) for number in range(1, MOST_EACH + 1)]
    for number in range(MOST_SESSIONS + 1):
        notices.say(str(number), "bad", "x")
    assert (notices.take("0"), len(notices.take("1"))) == ([], 1)


@pytest.mark.parametrize(
    ("query", "total", "number", "skip", "shown"),
    [
        ("", 120, 1, 0, (1, 50)),
        ("page=3", 120, 3, 100, (101, 120)),
        ("page=4", 120, 3, 100, (101, 120)),
        ("page=0", 120, 1, 0, (1, 50)),
        ("page=-1", 120, 1, 0, (1, 50)),
        ("page=9999999999999999", 120, 1, 0, (1, 50)),
        ("page=%D9%A3", 120, 1, 0, (1, 50)),
        ("page=x", 0, 1, 0, (0, 0)),
        ("page=2", 100, 2, 50, (51, 100)),
    ],
)
def test_a_page_that_there_is_not_is_the_nearest(query: str, total: int, number: int, skip: int, shown: tuple[int, int]) -> None:
    paging = Paging.of(request(query), total)
    assert (paging.number, paging.skip, (paging.first, paging.last)) == (number, skip, shown)


def test_links_of_a_list_keep_what_was_searched_for() -> None:
    assert Paging.of(request("q=a%26b&page=2&since=2026-01-01"), 500).link(3) == "/admin/x?q=a%26b&since=2026-01-01&page=3"
