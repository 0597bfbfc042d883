"""Templates, PINs and badges under another key: a terminal that was put back on another machine seals by that machine's."""

from peewee import SqliteDatabase

from blinkd.crypto.at_rest import TemplateCipher

PORTION = 500  # rows


def reseal(database: SqliteDatabase, old: TemplateCipher, new: TemplateCipher) -> int:
    """Open everything by the old key and seal it by the new one; returns how many records. The transaction is the caller's. Raises KeyMissing."""
    # triggers note what changes for the relay, and nothing does
    database.execute_sql("CREATE TEMP TABLE noted AS SELECT type, local_id FROM main.registry_changes")
    count = 0
    last = 0
    while rows := database.execute_sql(
        "SELECT rowid, id, person_id, model_id, sealed FROM templates WHERE rowid > ? ORDER BY rowid LIMIT ?", (last, PORTION)
    ).fetchall():
        for rowid, id_, person, model, sealed in rows:
            again = new.seal(id_, person, model, old.open(id_, person, model, bytes(sealed)))
            database.execute_sql("UPDATE templates SET sealed = ? WHERE rowid = ?", (again, rowid))
        last, count = int(rows[-1][0]), count + len(rows)
    for id_, person, kind, sealed in database.execute_sql("SELECT id, person_id, kind, sealed FROM credentials").fetchall():
        text = old.open_text(id_, person, kind, bytes(sealed))
        lookup = new.lookup(text) if kind == "badge" else None
        database.execute_sql(
            "UPDATE credentials SET sealed = ?, lookup = ? WHERE id = ?", (new.seal_text(id_, person, kind, text), lookup, id_)
        )
        count += 1
    database.execute_sql(
        "DELETE FROM main.registry_changes WHERE NOT EXISTS (SELECT 1 FROM temp.noted n WHERE n.type = registry_changes.type"
        " AND n.local_id = registry_changes.local_id)"
    )
    database.execute_sql("DROP TABLE temp.noted")
    return count
