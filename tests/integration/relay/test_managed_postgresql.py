"""A PostgreSQL that somebody else runs: over TLS only, with the role and the address of config/relay."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from blinkd.crypto.authority import Authority
from blinkd.measure.servers.postgresql import USER, PostgreSQL

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "config" / "relay"
PASSWORD = "of-this-test-only"
SERVER = "hostssl all all 127.0.0.1/32 scram-sha-256\n"  # without TLS nobody gets in
TLS = ("ssl=on", "ssl_cert_file=server.pem", "ssl_key_file=server.key")


class Managed(PostgreSQL):
    """With a certificate of an authority of its provider's."""

    def secured_by(self, authority: Authority) -> "Managed":
        data = self.folder / "data"
        certificate, key = authority.issue_broker(["127.0.0.1"])
        for name, content in (("server.pem", certificate), ("server.key", key), ("pg_hba.conf", SERVER.encode())):
            (data / name).write_bytes(content)
            (data / name).chmod(0o600)
            if os.geteuid() == 0:
                shutil.chown(data / name, USER, USER)
        return self

    def command(self) -> list[str | Path]:
        return [*super().command(), *(word for one in TLS for word in ("-c", one))]


@dataclass(frozen=True)
class Provider:
    """The database, and the folder with `ca.pem` of its authority and `other.pem` of another."""

    database: Managed
    folder: Path

    def address(self, ca: str) -> str:
        """The example's, with what is this server's put in."""
        (line,) = [
            one for one in (EXAMPLE / "relay.env.example").read_text(encoding="utf-8").splitlines() if one.startswith("DATABASE_URL=")
        ]
        found = line.removeprefix("DATABASE_URL=")
        for example, here in (
            ("PASSWORD", PASSWORD),
            ("db.example:5432", f"127.0.0.1:{self.database.port}"),
            ("/run/secrets/database-ca.pem", str(self.folder / ca)),
        ):
            assert example in found
            found = found.replace(example, here)
        return found

    def check(self, address: str) -> subprocess.CompletedProcess[str]:
        """`blinkd relay check`."""
        environment = {**os.environ, "DATABASE_URL": address, "BLINKD_STATE_DIR": str(self.folder)}
        words = [sys.executable, "-m", "blinkd", "relay", "check"]
        return subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    folder = tmp_path_factory.mktemp("provider")
    authorities = {name: Authority.create(folder / name, "provider") for name in ("ca", "other")}
    for name, authority in authorities.items():
        (folder / f"{name}.pem").write_bytes(authority.ca_pem)
    with Managed().secured_by(authorities["ca"]) as database:
        with psycopg.connect(f"{database.url}?sslmode=require", autocommit=True) as connection:
            statements = "\n".join(
                line for line in (EXAMPLE / "postgresql.sql").read_text(encoding="utf-8").splitlines() if not line.startswith("--")
            )
            for statement in statements.split(";"):
                if statement.strip():
                    connection.execute(statement)  # type: ignore[arg-type]  # of our own file
            connection.execute(psycopg.sql.SQL("ALTER ROLE blinkd_relay PASSWORD {}").format(PASSWORD))
        yield Provider(database, folder)


def test_a_relay_makes_its_tables_there_and_owns_nothing_else(provider: Provider) -> None:
    done = provider.check(provider.address("ca.pem"))
    assert done.returncode == 0, done.stderr
    assert f"127.0.0.1:{provider.database.port}/blinkd: reached" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr
    with psycopg.connect(provider.address("ca.pem")) as connection:
        used = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
        rights = connection.execute("SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user").fetchone()
        durable = connection.execute("SHOW synchronous_commit").fetchone()
        owned = connection.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE tablename = 'entries'").fetchone()
    assert (used, rights, durable, owned) == ((True,), (False, False, False), ("on",), ("blinkd_relay",))


@pytest.mark.parametrize(
    ("given", "instead", "why"),
    [
        ("/ca.pem", "/other.pem", "certificate verify failed"),
        ("@127.0.0.1:", "@localhost:", "does not match host name"),
        ("sslmode=verify-full", "sslmode=disable", "no encryption"),
        (PASSWORD, "guessed", "password authentication failed"),
    ],
    ids=["another authority", "another name", "without TLS", "wrong password"],
)
def test_a_server_that_cannot_be_trusted_or_does_not_trust_is_told_in_words(provider: Provider, given: str, instead: str, why: str) -> None:
    address = provider.address("ca.pem")
    assert given in address
    done = provider.check(address.replace(given, instead))
    assert done.returncode == 1
    assert why in done.stderr and "DATABASE_URL" in done.stderr
    assert PASSWORD not in done.stderr and "Traceback" not in done.stderr
