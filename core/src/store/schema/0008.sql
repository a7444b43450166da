-- Schema 8: identities that ended without a word on what follows them, and what a relay keeps back.

-- Those that a correspondent had before the pinned one: what their devices had sent is the correspondent's.
CREATE TABLE correspondent_before (
    address     TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    accepted_at INTEGER NOT NULL, -- when the person accepted the one after it
    PRIMARY KEY (address, fingerprint)
) STRICT, WITHOUT ROWID;

-- The device lists that this account had, up to the present one, as they were signed: a relay that was put back is shown each, and
-- so knows again which devices were removed, and when.
CREATE TABLE past_list (
    version INTEGER PRIMARY KEY NOT NULL,
    list    BLOB NOT NULL
) STRICT;

-- What came here or left from here, by when it did, while the account's other devices have not been told: a relay may have kept it
-- from one of them.
CREATE INDEX state_here ON state (at) WHERE due = 2;
