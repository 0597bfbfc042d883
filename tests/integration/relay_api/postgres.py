"""A PostgreSQL server of the tests' own: a folder, a private socket, no port."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

SERVER_USERS = ("postgres", "nobody")  # the server refuses to run as root


class Postgres:
    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="blinkd-pg-"))  # short: the path of a socket has 107 bytes at most
        self._data = self.folder / "data"
        self._user: dict[str, object] = {}
        if os.geteuid() == 0:
            entry = next(entry for entry in pwd.getpwall() if entry.pw_name in SERVER_USERS)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            self._user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self._run("initdb", "--auth=trust", "--username=blinkd", "--no-sync", "--no-locale", "--encoding=UTF8")
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://blinkd:a-secret-password@/postgres?host={self.folder}"

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "--wait", "start", "-o", options, "-l", str(self.folder / "log"))

    def stop(self) -> None:
        self._run("pg_ctl", "--wait", "stop", "-m", "immediate")

    def remove(self) -> None:
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        found = max(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), default=None) or shutil.which(program)
        assert found is not None, f"{program}: install PostgreSQL's server"
        command = [str(found), "-D", str(self._data), *arguments]
        done = subprocess.run(  # type: ignore[call-overload]
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=self.folder, check=False, **self._user
        )
        assert done.returncode == 0, done.stderr
