"""The tables as peewee models, made anew for each open database, so that two stores in one process never mix."""

from types import SimpleNamespace
from typing import Any

from peewee import BlobField, CompositeKey, FloatField, IntegerField, Model, SqliteDatabase, TextField


def tables(database: SqliteDatabase) -> Any:  # noqa: ANN401  a namespace of model classes
    """Return the models by the names at the end of this function, bound to the database."""
    bound = database

    class People(Model):
        id = TextField(primary_key=True)
        name = TextField()
        status = TextField()
        enrolled_at = TextField()
        envelope = TextField(null=True)
        subject = IntegerField()
        salt = BlobField(null=True)
        signature = BlobField(null=True)
        valid_from = TextField(null=True)
        valid_until = TextField(null=True)

        class Meta:
            database = bound
            table_name = "people"

    class Templates(Model):
        id = TextField(primary_key=True)
        person_id = TextField()
        model_id = TextField()
        dimension = IntegerField()
        sealed = BlobField()
        quality = FloatField()
        source = TextField()
        created_at = TextField()
        view = TextField()
        label = TextField()
        moment = TextField()

        class Meta:
            database = bound
            table_name = "templates"

    class TemplateChanges(Model):
        one = IntegerField(primary_key=True)
        added = IntegerField()
        removed = IntegerField()

        class Meta:
            database = bound
            table_name = "template_changes"

    class Enrolments(Model):
        id = TextField(primary_key=True)
        person_id = TextField()
        kind = TextField()
        at = TextField()
        moments = IntegerField()
        replaced = IntegerField()
        consent = TextField(null=True)
        own_similarity = FloatField(null=True)
        lookalike_id = TextField(null=True)
        lookalike_similarity = FloatField(null=True)
        decision = TextField()

        class Meta:
            database = bound
            table_name = "enrolments"

    class Memberships(Model):
        person_id = TextField()
        name = TextField()

        class Meta:
            database = bound
            table_name = "memberships"
            primary_key = CompositeKey("person_id", "name")

    class FormerPeople(Model):
        subject = IntegerField(primary_key=True)
        id = TextField()
        salt = BlobField(null=True)

        class Meta:
            database = bound
            table_name = "former_people"

    class Punches(Model):
        seq = IntegerField(primary_key=True)
        id = TextField()
        subject = IntegerField()
        us = IntegerField()
        boot_s = FloatField()
        boot_id = TextField()
        clock = TextField()
        status = TextField()
        punctuality = TextField()
        minutes = IntegerField()
        shift = TextField(null=True)
        terminal = TextField()
        similarity = FloatField()
        method = TextField()

        class Meta:
            database = bound
            table_name = "punches"

    class Chain(Model):
        seq = IntegerField(primary_key=True)
        salt = BlobField(null=True)
        commitment = BlobField()
        hash = BlobField()
        signature = BlobField(null=True)
        sync = TextField()

        class Meta:
            database = bound
            table_name = "chain"

    class Entries(Model):  # its generated columns are only looked up
        seq = IntegerField(primary_key=True)
        content = TextField()
        note = TextField(null=True)
        note_salt = BlobField(null=True)

        class Meta:
            database = bound
            table_name = "entries"

    class Scans(Model):
        seq = IntegerField(primary_key=True)
        us = IntegerField()
        boot_s = FloatField()
        boot_id = TextField()
        clock = TextField()
        outcome = TextField()
        reason = TextField(null=True)
        subject = IntegerField(null=True)
        similarity = FloatField(null=True)
        details = TextField()

        class Meta:
            database = bound
            table_name = "scan_log"

    class Settings(Model):
        key = TextField(primary_key=True)
        value = TextField()

        class Meta:
            database = bound
            table_name = "settings"

    return SimpleNamespace(
        people=People,
        memberships=Memberships,
        former=FormerPeople,
        templates=Templates,
        template_changes=TemplateChanges,
        enrolments=Enrolments,
        punches=Punches,
        chain=Chain,
        entries=Entries,
        scans=Scans,
        settings=Settings,
    )
