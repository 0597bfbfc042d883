"""Passwords on the command line: typed unseen, or read from a file descriptor; never an argument or a variable, which other users can read."""

import getpass
import os
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

from blinkd.crypto.passwords import KEYRING_STAKES, check_new_password
from blinkd.errors import PasswordRefused

LONGEST = 4096  # bytes of what comes by a file descriptor

PasswordFd = Annotated[
    int | None,
    typer.Option("--password-fd", metavar="N", min=0, help="Read the password from this file descriptor, one a line, instead of asking."),
]


class Passwords:
    """Where a command's passwords come from, one after the other."""

    def __init__(self, descriptor: int | None) -> None:
        """descriptor: read to its end, a password a line; None: they are asked for at the terminal."""
        self._lines = None if descriptor is None else _lines(descriptor)

    def existing(self, what: str) -> str:
        """One that there is already. Wrong usage ends with exit code 2."""
        return self._next(what)

    def new(self, what: str, about: Sequence[str] = (), stakes: str = KEYRING_STAKES) -> str:
        """One that is chosen now, typed twice; about: words that make it easy to guess; stakes: who guesses. Raises PasswordRefused for a weak one."""
        chosen = self._next(what)
        check_new_password(chosen, *about, stakes=stakes)
        if self._lines is None and self._next(f"{what}, once more") != chosen:
            raise PasswordRefused("the two passwords differ; nothing was changed")
        return chosen

    def _next(self, what: str) -> str:
        if self._lines is None:
            return _typed(f"{what}: ")
        if not self._lines:
            raise typer.BadParameter(f"--password-fd: there is no line for: {what}")
        return self._lines.pop(0)


def _typed(prompt: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # it would show what is typed
        try:
            return getpass.getpass(prompt)
        except (getpass.GetPassWarning, EOFError):
            raise typer.BadParameter("there is no terminal at which to type a password; give --password-fd N") from None


def _lines(descriptor: int) -> list[str]:
    content = b""
    try:
        while chunk := os.read(descriptor, LONGEST + 1 - len(content)):
            content += chunk
            if len(content) > LONGEST:
                raise typer.BadParameter(f"--password-fd {descriptor}: more than {LONGEST} bytes")
        return content.decode().splitlines()
    except OSError as error:
        raise typer.BadParameter(f"--password-fd {descriptor}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"--password-fd {descriptor}: not UTF-8") from None
