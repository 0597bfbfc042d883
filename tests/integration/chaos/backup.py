"""An older copy of the relay's database, put back in its place: what an operator does after a disk has died."""

import shutil
import subprocess
from pathlib import Path

from blinkd.measure.servers.postgresql import PostgreSQL


class Backup:
    """Of the folder of a server that does not run while it is copied; begins with what there is now."""

    def __init__(self, database: PostgreSQL) -> None:
        self._database = database
        self._data, self._copy = database.folder / "data", database.folder / "backup"

    def take(self) -> None:
        """The copy is of this moment."""
        self._database.kill()
        self._replace(self._copy, self._data)
        self._database.start()

    def put_back(self) -> None:
        """What has come since is lost."""
        self._database.kill()
        self._replace(self._data, self._copy)
        self._database.start()

    def _replace(self, target: Path, source: Path) -> None:
        if target.exists():
            shutil.rmtree(target)
        subprocess.run(["cp", "-a", source, target], check=True, timeout=60)  # -a: the owner too
        (target / "postmaster.pid").unlink(missing_ok=True)  # of the process that was killed
