"""The database of the tests keeps what it has committed through kills."""

import psycopg

from blinkd.measure.servers.postgresql import PostgreSQL


def test_what_was_committed_survives_kills_and_the_rest_does_not() -> None:
    with PostgreSQL() as database:
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (number integer PRIMARY KEY)")
        for number in range(3):
            with psycopg.connect(database.url) as connection:
                connection.execute("INSERT INTO kept VALUES (%s)", [number])
                connection.commit()
                connection.execute("INSERT INTO kept VALUES (%s)", [100 + number])
                database.kill()
                connection.close()
            database.start()
        with psycopg.connect(database.url) as connection:
            assert connection.execute("SELECT number FROM kept ORDER BY number").fetchall() == [(0,), (1,), (2,)]
        folder = database.folder
    assert not folder.exists()
