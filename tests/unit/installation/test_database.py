"""A release that gives the database a new form is taken back only together with the old form, and only if nothing recorded is lost."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.installation.machine import Machine

MIGRATIONS = "lib/python3.12/site-packages/blinkd/store/migrations"


def forms(machine: Machine, *names: str) -> None:
    """What the next release, made from the checkout, brings as migrations."""
    program = machine.programs / "python3"
    text = program.read_text().split("# forms\n")[-1]
    made = "".join(f'touch -- "$here/{MIGRATIONS}/{name}"; ' for name in names)
    brings = f'case "$*" in *--no-build-isolation*) mkdir -p -- "$RELEASE/{MIGRATIONS}"; {made.replace("$here", "$RELEASE")};; esac\n'
    program.write_text(f"#!/usr/bin/env bash\n{brings}# forms\n{text}")


def write(database: Path, value: int) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS form (value)")
        connection.execute("DELETE FROM form")
        connection.execute("INSERT INTO form VALUES (?)", (value,))
        connection.commit()


def form(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT value FROM form").fetchone()[0])


@pytest.fixture
def old(machine: Machine) -> Machine:
    """A release that knows form 1 runs, with a database of that form."""
    machine.with_systemd()
    forms(machine, "v0001_a.sql")
    machine.done("install", "--standalone")
    write(machine.root / "var/lib/blinkd/blinkd.db", 1)
    (machine.root / "var/lib/blinkd/book.head").write_text("7")
    forms(machine, "v0001_a.sql", "v0002_b.sql")
    machine.write_checkout("2.0.0")
    return machine


def new_name(machine: Machine) -> str:
    return machine.done("upgrade", "--dry-run").split("would: release ")[1].split(":")[0]


def daemon_does(machine: Machine, commands: str) -> None:
    """What starting the new release's daemon does to the records."""
    program = machine.programs / "systemctl"
    text = program.read_text()
    new = new_name(machine)
    program.write_text(
        text + f'\nif [[ $verb == restart && $(readlink "$INSTALL_ROOT/opt/blinkd/current") == *{new} ]]; then {commands}; exit 1; fi\n'
    )


def test_the_old_form_comes_back_with_the_old_release(old: Machine) -> None:
    before = old.in_force
    database = old.root / "var/lib/blinkd/blinkd.db"
    daemon_does(
        old,
        f"\"$REAL_PYTHON\" -c \"import sqlite3; c = sqlite3.connect('{database}'); c.execute('UPDATE form SET value = 2'); c.commit()\"",
    )
    result = old.run("upgrade")
    assert result.returncode == 1
    assert "was not kept" in result.stderr
    assert old.in_force == old.active() == before
    assert form(database) == 1
    assert database.stat().st_mode & 0o777 == 0o600
    assert not (old.root / "opt/blinkd/records-before").exists()


def test_what_the_new_release_has_recorded_is_not_thrown_away_so_it_stays(old: Machine) -> None:
    before = old.in_force
    database = old.root / "var/lib/blinkd/blinkd.db"
    daemon_does(old, f'echo 8 >"{old.root}/var/lib/blinkd/book.head"')
    write(database, 2)
    result = old.run("upgrade")
    assert result.returncode == 1
    assert "nothing recorded is lost" in result.stderr
    assert old.in_force != before
    assert form(database) == 2


def test_an_upgrade_to_a_new_form_that_holds_keeps_no_copy(old: Machine) -> None:
    old.done("upgrade")
    assert old.in_force.startswith("2.0.0-")
    assert not (old.root / "opt/blinkd/records-before").exists()
