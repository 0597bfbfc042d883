-- What terminals send, as the relay can see it: places in chains, signatures, and envelopes that it cannot open. No column holds a time of
-- day: arrivals tell when people come and go.

-- Each organisation's registry has one counter; who changes it locks the row, so that nobody sees a later version before an earlier one.
CREATE TABLE organisations (
    org TEXT PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 0,
    admin BLOB  -- Ed25519 public key of the keyring's administrator, learnt from the first keyring record
);

CREATE TABLE terminals (
    org TEXT NOT NULL,
    terminal TEXT NOT NULL,
    certificate BLOB NOT NULL,  -- DER, the newest
    online INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT '{}',  -- JSON: version and health, as the terminal says
    seen_on TEXT NOT NULL,  -- date
    PRIMARY KEY (org, terminal)
);

-- A terminal's chain of entries; a new card begins a new book. The head is the last entry up to which everything is here.
CREATE TABLE books (
    id INTEGER PRIMARY KEY,
    org TEXT NOT NULL,
    terminal TEXT NOT NULL,
    book TEXT NOT NULL,
    head_seq INTEGER NOT NULL DEFAULT -1,
    head_hash BLOB,
    stored_seq INTEGER NOT NULL DEFAULT -1,  -- the greatest number that is here at all
    state TEXT NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'gap', 'fork')),
    detail TEXT NOT NULL DEFAULT '',
    begun_on TEXT NOT NULL,
    UNIQUE (org, terminal, book)
);

-- Two entries with one number are a fork: both are kept, for both are signed.
CREATE TABLE entries (
    book_id INTEGER NOT NULL REFERENCES books (id),
    seq INTEGER NOT NULL CHECK (seq >= 0),
    hash BLOB NOT NULL,
    prev BLOB NOT NULL,
    commitment BLOB NOT NULL,
    signature BLOB NOT NULL,
    kid TEXT,  -- of the envelope, with the three below; null where it is missing
    iv BLOB,
    tag BLOB,
    ciphertext BLOB,
    missing TEXT CHECK (missing IN ('erased', 'damaged', 'rejected')),
    connected INTEGER NOT NULL,  -- everything before it is here
    PRIMARY KEY (book_id, seq, hash),
    CHECK ((ciphertext IS NULL) = (missing IS NOT NULL))
);

CREATE TABLE certificates (
    org TEXT NOT NULL,
    digest TEXT NOT NULL,  -- SHA-256, hexadecimal
    der BLOB NOT NULL,
    PRIMARY KEY (org, digest)
);

-- Every record as it stands, in the order in which it changed last.
CREATE TABLE registry (
    org TEXT NOT NULL,
    record TEXT NOT NULL,
    type TEXT NOT NULL,
    version INTEGER NOT NULL,
    terminal TEXT NOT NULL,
    base INTEGER NOT NULL,
    edit INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    change TEXT NOT NULL,  -- JSON, as it came
    certificate TEXT NOT NULL,
    PRIMARY KEY (org, record)
);
CREATE UNIQUE INDEX registry_by_version ON registry (org, version);

-- Every change that ever came, what became of it, and the version that it got or lost to.
CREATE TABLE history (
    org TEXT NOT NULL,
    record TEXT NOT NULL,
    signature BLOB NOT NULL,
    terminal TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('stored', 'superseded', 'conflict')),
    version INTEGER NOT NULL,
    change TEXT NOT NULL,
    certificate TEXT NOT NULL,
    PRIMARY KEY (org, record, signature)
);

-- What all relays on this database share and nobody else may know: the name of their group at the broker, which a terminal that knew it
-- could join.
CREATE TABLE relay_secrets (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
