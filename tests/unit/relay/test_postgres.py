"""How the relay finds PostgreSQL, and what it says when it does not."""

import re
from urllib.parse import quote, urlsplit

import psycopg
import pytest

from blinkd.errors import StoreError
from blinkd.measure.servers.ports import free_ports
from blinkd.measure.servers.postgresql import PostgreSQL
from blinkd.relay.postgres import PostgresConnections


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://blinkd:hid@den@127.0.0.1:1/name",  # @ and / must be written %40 and %2F; half of the password would be the host
        "postgresql://blinkd:hi/dden@127.0.0.1:1/name",
        "postgresql://blinkd:hi/dden@den@127.0.0.1:1/name",
        "host=127.0.0.1 dbname=postgresql://blinkd:hidden@127.0.0.1/name",
        "postgresql+psycopg://blinkd:hidden@127.0.0.1/name",
        "mysql://blinkd:hidden@127.0.0.1/name",
        "hidden",
    ],
)
def test_an_address_that_is_misread_is_refused_without_a_letter_of_its_password(url: str) -> None:
    with pytest.raises(StoreError, match=r"DATABASE_URL .*%40") as refused:
        PostgresConnections(url)
    assert not re.search(r"hid|den|hi/|127", str(refused.value))


def test_a_password_of_odd_characters_is_taken_as_it_is(postgres: PostgreSQL) -> None:
    odd = "p@ss/wörd#%?&: '\\"
    with psycopg.connect(postgres.url) as connection:
        connection.execute(psycopg.sql.SQL("DROP ROLE IF EXISTS odd"))
        connection.execute(psycopg.sql.SQL("CREATE ROLE odd LOGIN PASSWORD {}").format(odd))
    found = PostgresConnections(f"postgresql://odd:{quote(odd, safe='')}@127.0.0.1:{postgres.port}/postgres")
    with found.transaction(reading=True) as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("odd",)
    assert found.name == f"127.0.0.1:{postgres.port}/postgres"
    found.close()


def test_who_cannot_connect_hears_why_and_nobody_sees_the_password(postgres: PostgreSQL) -> None:
    (nobody,) = free_ports(1)
    wrong = urlsplit(postgres.url)._replace(netloc=f"blinkd:secret-word@127.0.0.1:{postgres.port}").geturl()
    for url, why in (
        (postgres.url_at(nobody), "refused"),
        (wrong, "password authentication failed"),
        (postgres.url.removesuffix("/postgres") + "/elsewhere", 'database "elsewhere" does not exist'),
        (postgres.url + "?sslmode=nonsense", "sslmode"),
    ):
        with pytest.raises(StoreError, match=why) as refused, PostgresConnections(url).transaction():
            pass
        assert "DATABASE_URL" in str(refused.value)
        assert "secret-word" not in str(refused.value)
        assert str(urlsplit(url).password) not in str(refused.value)


def test_a_server_that_vanished_is_noticed_in_less_than_a_minute_unless_the_address_says_otherwise(postgres: PostgreSQL) -> None:
    """By the system's own times a relay would wait for two hours, or a quarter of one, and answer nobody."""
    for url, idle in ((postgres.url, "20"), (postgres.url + "?keepalives_idle=7", "7")):
        connections = PostgresConnections(url)
        with connections.transaction() as cursor:
            said = cursor.connection.info.get_parameters()
        connections.close()
        assert said["keepalives_idle"] == idle
        assert int(idle) + int(said["keepalives_interval"]) * int(said["keepalives_count"]) <= 60
        assert int(said["tcp_user_timeout"]) <= 60_000


def test_transactions_are_what_the_relay_is_written_for_whatever_the_database_prefers(postgres: PostgreSQL) -> None:
    connections = PostgresConnections(postgres.url + "?options=-c%20default_transaction_isolation%3Dserializable")
    with connections.transaction() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("read committed",)
    connections.close()


def test_a_role_without_rights_and_a_standby_are_told_apart_from_a_database_without_tables(postgres: PostgreSQL) -> None:
    with psycopg.connect(postgres.url) as connection:
        connection.execute("DROP ROLE IF EXISTS guest")
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    guest = f"postgresql://guest:guest@127.0.0.1:{postgres.port}/postgres"
    standby = postgres.url + "?options=-c%20default_transaction_read_only%3Don"
    for url, why in (
        (guest, r"permission denied.*own the database"),
        (standby, r"read-only.*not a standby"),
        (postgres.url, r"relay migrate"),
    ):
        connections = PostgresConnections(url)
        with pytest.raises(StoreError, match=why), connections.transaction() as cursor:
            cursor.execute("SELECT * FROM no_such_table" if url == postgres.url else "CREATE TABLE public.made_by_nobody (x INTEGER)")
        connections.close()


def test_nothing_is_prepared_in_the_connection_for_a_pooler_may_hand_out_another_one(postgres: PostgreSQL) -> None:
    found = PostgresConnections(postgres.url)
    with found.transaction() as cursor:
        for number in range(20):
            cursor.execute("SELECT %s::int", (number,))
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        assert cursor.fetchone() == (0,)
    found.close()
