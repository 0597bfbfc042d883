"""The screens, and who sees which."""

from dataclasses import dataclass

from blinkd.store.operators import Role


@dataclass(frozen=True, slots=True)
class Screen:
    """A link of the navigation. roles: who may open it."""

    path: str
    title: str
    roles: frozenset[Role]


SCREENS = (
    Screen("/admin/dashboard", "Dashboard", frozenset({"supervisor", "hr"})),
    Screen("/admin/register", "Register", frozenset({"supervisor"})),
    Screen("/admin/logs", "Logs", frozenset({"supervisor", "hr"})),
    Screen("/admin/people", "People", frozenset({"supervisor", "hr"})),
    Screen("/admin/settings", "Settings", frozenset({"technician"})),
    Screen("/admin/system", "System", frozenset({"technician"})),
    Screen("/admin/operators", "Operators", frozenset({"supervisor"})),
    Screen("/admin/audit", "Audit", frozenset({"supervisor", "technician"})),
)


def screens_of(roles: frozenset[Role]) -> list[Screen]:
    """Those that somebody may open, in their order."""
    return [screen for screen in SCREENS if screen.roles & roles]


def home_of(roles: frozenset[Role]) -> str:
    """Where somebody begins."""
    return next((screen.path for screen in SCREENS if screen.roles & roles), "/admin/account")
