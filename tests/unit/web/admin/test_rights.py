"""Every address of the desk, whoever adds it: who may ask for it, and that nothing is done without the session's token."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from blinkd.store.operators import ROLES, Role
from blinkd.web.admin.access import Access
from tests.unit.web.admin.desks import Office, office

FOR_ANYBODY = {("GET", "/admin"), ("GET", "/admin/"), *((method, f"/admin/{name}") for method in ("GET", "POST") for name in ("login", "setup"))}
FOR_WHOEVER_IS_LOGGED_IN = {
    ("GET", "/admin/account"),
    ("POST", "/admin/account"),
    ("POST", "/admin/logout"),
    ("GET", "/admin/again"),
    ("POST", "/admin/again/discard"),
}
MOST: dict[str, set[Role]] = {  # by how the path begins: nobody else has anything to do there
    "/admin/dashboard": {"supervisor", "hr"},
    "/admin/logs": {"supervisor", "hr"},
    "/admin/people": {"supervisor", "hr"},
    "/admin/receipts": {"hr"},
    "/admin/register": {"supervisor"},
    "/admin/operators": {"supervisor"},
    "/admin/audit": {"supervisor", "technician"},
    "/admin/settings": {"technician"},
    "/admin/system": {"technician"},
    "/admin/setup/": {"supervisor", "technician"},
}
HERE = "http://127.0.0.1:8480"
