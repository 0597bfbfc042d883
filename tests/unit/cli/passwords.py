"""Commands that are given passwords as a script gives them: by a file descriptor."""

import os
from pathlib import Path

from tests.integration.faces.commands import Answer, blinkd

PASSWORD, OTHER = "correct horse battery staple", "seven unlikely purple lamps"


def with_passwords(*arguments: str | Path, state: Path, lines: tuple[str, ...] = (PASSWORD,), **more: str) -> Answer:
    """Run a command with `--password-fd`, from which these lines come."""
    reader, writer = os.pipe()
    try:
        os.write(writer, "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))
        os.close(writer)
        return blinkd(*arguments, "--password-fd", str(reader), state=state, **more)
    finally:
        os.close(reader)
