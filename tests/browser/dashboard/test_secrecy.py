"""Neither the password nor a key ever leaves the browser, nor stays in it: every byte that it sends is kept and looked through."""

import base64
import unicodedata
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page

from blinkd.crypto.wrapping import wrapping_key
from tests.browser.dashboard.conftest import SHIFTED, enter, opened
from tests.browser.dashboard.organisation import NOW, ORG, PASSWORD, ZONE, Organisation
from tests.browser.dashboard.recorder import Recorder, recorded

AUTOFILL = "content-autofill.googleapis.com:443"  # Chromium itself asks there what kind of form a form is; the recorder lets nobody through
PIECE = 9  # bytes of a key by which it is recognised: by chance they stand nowhere


def forms(secret: bytes) -> set[bytes]:
    """As it would look raw, in hexadecimal, in URLs, and in base64 at each of the three places where it may begin."""
    found = {secret, secret.hex().encode(), secret.hex().upper().encode(), quote(secret).encode(), quote(secret, safe="").encode()}
    for before in range(3):
        text = base64.b64encode(bytes(before) + secret)
        inner = text[4 if before else 0 : -4]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return {one for one in found if len(one) >= PIECE}


def secrets_of(organisation: Organisation) -> dict[str, set[bytes]]:
    """What must not leave, and what it would be recognised by."""
    texts = {"password": PASSWORD, "its NFKC form": unicodedata.normalize("NFKC", PASSWORD)}
    found = {name: forms(text.encode()) | forms(text.encode("utf-16-le")) for name, text in texts.items()}
    found |= {f"{name}, its first words": forms(text[:16].encode()) for name, text in texts.items()}
    file = organisation.keyring
    keys = {"wrapping key": wrapping_key(PASSWORD, file.salt, file.iterations)}
    with file.opened(PASSWORD) as opened_:
        keys |= {f"root {kid}": bytes(root) for kid, root in opened_.roots.items()} | {
            "index": bytes(opened_.index),
            "admin": bytes(opened_.admin),
        }
    ring = organisation.keys
    for kid in ring.roots:
        for terminal in organisation.desks:
            keys |= {f"{purpose} of {terminal} in {kid}": ring.working_key(kid, purpose, terminal) for purpose in ("attendance", "people")}
    return found | {name: forms(key[:PIECE]) | forms(key[-PIECE:]) for name, key in keys.items()}


def leaked(sent: bytes, secrets: dict[str, set[bytes]]) -> list[str]:
    return [name for name, looks in secrets.items() if any(one in sent for one in looks)]


@pytest.fixture
def recorder(few_at: str) -> Iterator[Recorder]:
    with recorded(few_at) as made:
        yield made


@pytest.fixture
def watched(browser: Browser, recorder: Recorder) -> Iterator[Page]:
    """A page all of whose traffic goes through the recorder, that to this machine too."""
    context = browser.new_context(timezone_id=ZONE, proxy={"server": recorder.address, "bypass": "<-loopback>"}, accept_downloads=True)
    context.add_init_script(SHIFTED % (NOW.timestamp() * 1000))
    yield context.new_page()
    context.close()


def test_no_byte_of_password_or_keys_leaves_the_browser(
    few: Organisation, few_at: str, token: str, recorder: Recorder, watched: Page
) -> None:
    secrets = secrets_of(few)
    enter(watched, few_at, token, PASSWORD + "x")
    watched.get_by_role("alert").get_by_text("not the right one").wait_for()
    opened(watched, few_at, token)
    for name in ("Week", "Earlier", "Month", "Attendance as CSV", "Punches as CSV", "Load everything that is older"):
        watched.get_by_role("button", name=name, exact=True).click()
    watched.get_by_label("Person", exact=True).fill("Ann")
    assert watched.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert watched.evaluate("Promise.all([indexedDB.databases(), caches.keys()]).then(found => found.flat().length)") == 0
    assert watched.context.cookies() == []
    watched.get_by_role("button", name="Log out").click()
    watched.get_by_text("password and keys are forgotten").wait_for()
    sent = recorder.sent()
    assert token.encode() in sent and b"/api/v1/dashboard/entries" in sent  # it does hear what is sent
    assert leaked(sent, secrets) == []
    assert [one for one in recorder.strangers if AUTOFILL not in one] == []


def test_a_page_that_gave_something_away_would_be_found_out(few: Organisation, few_at: str, recorder: Recorder, watched: Page) -> None:
    secrets = secrets_of(few)
    watched.goto(f"{few_at}/dashboard/")
    key = wrapping_key(PASSWORD, few.keyring.salt, few.keyring.iterations)
    script = "asked => Promise.allSettled(asked.map(one => fetch(one.url, {method: 'POST', headers: one.headers, body: one.body})))"
    asked = [
        {"url": f"{few_at}/health?{quote(PASSWORD)}", "headers": {}, "body": ""},
        {"url": f"{few_at}/health", "headers": {"x-key": base64.b64encode(b"k" + key).decode()}, "body": ""},
        {"url": f"{few_at}/health", "headers": {}, "body": key.hex()},
    ]
    watched.evaluate(script, asked)
    assert {"password", "wrapping key"} <= set(leaked(recorder.sent(), secrets))


def test_after_logging_out_nothing_is_left_in_the_pages_memory(few_at: str, token: str, watched: Page) -> None:
    opened(watched, few_at, token)
    assert _remembers(watched) == ["Ann Example"]  # the snapshot does show what is there; the password is gone from it already
    watched.get_by_role("button", name="Log out").click()
    watched.get_by_text("password and keys are forgotten").wait_for()
    assert _remembers(watched) == []
    watched.go_back()
    assert watched.locator("#board").is_hidden()


def _remembers(page: Page) -> list[str]:
    """Which of these texts the page's heap holds."""
    session = page.context.new_cdp_session(page)
    parts: list[str] = []
    session.on("HeapProfiler.addHeapSnapshotChunk", lambda event: parts.append(event["chunk"]))
    session.send("HeapProfiler.enable")
    session.send("HeapProfiler.collectGarbage")
    session.send("HeapProfiler.takeHeapSnapshot", {"reportProgress": False})
    session.detach()
    heap = "".join(parts)
    wanted = ("Ann Example", PASSWORD, unicodedata.normalize("NFKC", PASSWORD))
    return [one for one in wanted if one in heap or one.encode("unicode_escape").decode() in heap]


def test_a_wrong_password_says_only_that(few_at: str, token: str, page: Page) -> None:
    enter(page, few_at, token, "not the password")
    assert page.get_by_role("alert").inner_text() == "The organisation password is not the right one."
    assert page.get_by_label("Organisation password").input_value() == ""
    assert page.get_by_label("Relay token").input_value() == token
    assert page.locator("#board").is_hidden()
    assert ORG not in page.locator("body").inner_text()
