"""Whoever is logged in, as pages see them."""

from dataclasses import dataclass

from blinkd.store.operators import Operator, Role


@dataclass(frozen=True, slots=True)
class Signed:
    """Whoever is logged in. session_id: says which session it is, and opens nothing; csrf: goes into every form as the field `csrf`, or into the
    header X-CSRF-Token.
    """  # fmt: skip

    operator: Operator
    roles: frozenset[Role]
    session_id: str
    csrf: str

    def may(self, *roles: Role) -> bool:
        """Whether they have one of these roles."""
        return bool(self.roles & set(roles))
