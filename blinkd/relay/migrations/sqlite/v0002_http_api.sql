-- Tokens of the HTTP API. Of the secret, only its SHA-256 is kept.
CREATE TABLE api_tokens (
    id TEXT PRIMARY KEY,
    org TEXT NOT NULL,
    label TEXT NOT NULL,
    digest BLOB NOT NULL,
    scopes TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    revoked_at TEXT,
    used_on TEXT
);

-- Records in clear, of the origin's mobile app, filled only where relay.plain_records is on.
CREATE TABLE mobile_users (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    envelope TEXT,
    model_mode TEXT NOT NULL,
    enrolled_at TEXT NOT NULL,
    status TEXT NOT NULL,
    token TEXT NOT NULL,
    PRIMARY KEY (org, id)
);

CREATE TABLE mobile_attendance (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    person_id TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    status TEXT NOT NULL,
    punctuality TEXT NOT NULL,
    token TEXT NOT NULL,
    PRIMARY KEY (org, id)
);
