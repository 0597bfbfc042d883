"""Operators' passwords as argon2id hashes."""

import threading
from typing import Literal

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from blinkd.crypto.argon import MOST_WAITING, Hasher
from blinkd.errors import PasswordRefused, RequestRefused
from tests.unit.web.admin.desks import quick_hasher


def test_hashes_are_argon2id_by_the_second_recommendation_of_the_rfc() -> None:
    found = extract_parameters(Hasher().hash("a password"))
    assert (found.type, found.time_cost, found.memory_cost, found.parallelism) == (Type.ID, 3, 64 * 1024, 4)


def test_the_right_password_and_no_other_holds() -> None:
    hasher = quick_hasher()
    hashed = hasher.hash("pass Å word")
    assert hasher.holds("pass Å word", hashed)
    assert hasher.holds("pass A\u030a word", hashed)  # the same letters, typed on another keyboard
    for other in ("pass A word", "", "pass Å word ", "\udcff", "pass Å word" + "x" * 2000):
        assert not hasher.holds(other, hashed)


def test_nobodys_hash_is_computed_with_the_same_cost_and_never_holds() -> None:
    asked: list[str] = []

    class Watched(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            asked.append(str(hash))
            return super().verify(hash, password)

    hasher = Hasher(Watched(time_cost=1, memory_cost=8, parallelism=1))
    assert not hasher.holds("anything", None)
    (hashed,) = asked
    assert extract_parameters(hashed) == extract_parameters(hasher.hash("x"))


def test_a_torn_hash_holds_nothing() -> None:
    assert not quick_hasher().holds("x", "scrypt$15$8$1$x$y")


def test_a_hash_of_other_parameters_is_outdated() -> None:
    hasher = quick_hasher()
    assert not hasher.outdated(hasher.hash("x"))
    assert hasher.outdated(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash("x"))


def test_a_password_that_is_too_long_or_no_text_is_refused() -> None:
    for password in ("x" * 1025, "\udcff"):
        with pytest.raises(PasswordRefused):
            quick_hasher().hash(password)


def test_whoever_comes_while_several_wait_is_turned_away() -> None:
    begun, go = threading.Semaphore(0), threading.Event()

    class Slow(PasswordHasher):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:  # noqa: ARG002
            begun.release()
            assert go.wait(10)
            return "hash"

    hasher = Hasher(Slow(time_cost=1, memory_cost=8, parallelism=1))
    threads = [threading.Thread(target=hasher.hash, args=("x",)) for _ in range(1 + MOST_WAITING)]
    try:
        for thread in threads:
            thread.start()
        assert begun.acquire(timeout=10)  # one computes, and no more than one
        while hasher._places.acquire(blocking=False):  # the others are about to wait
            hasher._places.release()
        assert not begun.acquire(blocking=False)
        with pytest.raises(RequestRefused) as refused:
            hasher.holds("x", None)
        assert (refused.value.status, refused.value.retry_after_s) == (503, 5)
    finally:
        go.set()
        for thread in threads:
            thread.join()
