-- New terminals that wait for an administrator's answer; both sides prove by the code on the terminal's console that neither was exchanged here.
CREATE TABLE claims (
    handle TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    answer TEXT,
    begun_at TEXT NOT NULL
);
