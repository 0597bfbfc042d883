"""The password of Home Assistant's broker: a systemd credential, or a file that only its owner reads. It stands in no settings and no log."""

import os
import stat
from pathlib import Path
from typing import Final

from blinkd.crypto.keyfile import CREDENTIALS_VARIABLE
from blinkd.errors import ConfigError
from blinkd.settings import HomeAssistantSettings

CREDENTIAL: Final = "blinkd-home-assistant-password"
LONGEST: Final = 1024  # bytes; a larger file is another one


def read_password(settings: HomeAssistantSettings) -> str:
    """The password, without the line's end. Raises ConfigError, which does not contain it."""
    folder = os.environ.get(CREDENTIALS_VARIABLE)
    credential = Path(folder) / CREDENTIAL if folder else None
    try:
        if credential is not None and credential.exists():
            return _text(credential)
        path = settings.password_file
        if path is None:
            raise ConfigError(
                f"home_assistant.user is set and there is no password: set home_assistant.password_file, or the credential {CREDENTIAL}"
            )
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigError(f"{path}: readable by others; run: chmod 600 {path}")
        return _text(path)
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be read: {error.strerror}; check home_assistant.password_file and its owner") from None


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LONGEST + 1)
    try:
        password = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text; write the password as one line of UTF-8") from None
    if not password or len(content) > LONGEST or "\n" in password:
        raise ConfigError(f"{path}: no password; write it as one line, {LONGEST} bytes at most")
    return password
