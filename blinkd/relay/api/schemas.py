"""The bodies as OpenAPI describes them: they are read by hand, so that limits and words are ours, and described by hand too."""

from typing import Any

_TEXT = {"type": "string"}
_BASE64 = {"type": "string", "format": "byte"}
_MOMENT = {"type": "string", "format": "date-time"}


def _object(properties: dict[str, Any], optional: frozenset[str] = frozenset()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _body(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": 500}


_ENVELOPE = _object({"ciphertext": _BASE64, "iv": _BASE64, "tag": _BASE64, "v": {"const": 2}, "kid": _TEXT}, frozenset({"v", "kid"}))
_SENDER = {"v": {"const": 2}, "org": _TEXT, "terminal": _TEXT, "certificate": _BASE64}
_NUMBER = {"type": "integer", "minimum": 0}
_USER = _object(
    {
        "id": _TEXT,
        "name": _TEXT,
        "encrypted_envelope_json": {"anyOf": [_ENVELOPE, {"type": "null"}]},
        "model_mode": _TEXT,
        "enrolled_at": _MOMENT,
        "status": {"enum": ["ACTIVE", "DEACTIVATED"]},
    },
    frozenset({"encrypted_envelope_json"}),
)
_PUNCH = _object(
    {"id": _TEXT, "person_id": _TEXT, "timestamp": _MOMENT, "status": {"enum": ["CHECK_IN", "CHECK_OUT"]}, "punctuality": _TEXT}
)
_CHANGE = _object(
    {
        "id": _TEXT,
        "type": {"enum": ["person", "template", "terminal", "epoch", "revocation", "keyring"]},
        "base": _NUMBER,
        "edit": _NUMBER,
        "envelope": {"anyOf": [_ENVELOPE, {"type": "null"}]},
        "open": {"type": ["object", "null"]},
        "admin": {"anyOf": [_BASE64, {"type": "null"}]},
        "signature": _BASE64,
    },
    frozenset({"admin"}),
)
_ENTRY = _object(
    {
        "seq": _NUMBER,
        "commitment": _BASE64,
        "signature": _BASE64,
        "envelope": {"anyOf": [_ENVELOPE, {"type": "null"}]},
        "missing": {"enum": ["erased", "damaged", "rejected"]},
    },
    frozenset({"missing"}),
)
_CHANGES = _object(_SENDER | {"changes": _list(_CHANGE)})
_BATCH = _object(_SENDER | {"book": {"type": "string", "format": "uuid"}, "prev": _BASE64, "entries": _list(_ENTRY)})

POST_USERS = _body("application/json", {"anyOf": [_list(_USER), _CHANGES]})
POST_ATTENDANCE = _body("application/json", {"anyOf": [_list(_PUNCH), _BATCH]})
POST_EMBEDDING = _body("multipart/form-data", _object({"file": {"type": "string", "format": "binary"}}))
USERS_PAGE: dict[str, Any] = {
    "description": "One page; the header Link names the next one.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "success": {"const": True},
                    "users": {"type": "array", "items": {"anyOf": [_USER, {"type": "object"}]}},
                    "next_cursor": {"type": ["string", "null"]},
                    "certificates": {"type": "object", "additionalProperties": _BASE64},
                    "head": _NUMBER,
                },
                "required": ["success", "users", "next_cursor"],
            }
        }
    },
}
