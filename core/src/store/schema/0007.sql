-- Schema 7: what becomes of a mail before it is here, and what was to leave this device.

-- How far a mail of this account's has come that another device wrote, and that comes here with the history.
CREATE TABLE early_delivery (
    id       BLOB NOT NULL, -- the mail's
    address  TEXT NOT NULL,
    state    INTEGER NOT NULL,
    state_at INTEGER NOT NULL,
    PRIMARY KEY (id, address, state)
) STRICT, WITHOUT ROWID;

-- SHA-256 of the headers of the last envelopes that were sealed here: the relay may have accepted them.
CREATE TABLE deposited (
    place  INTEGER PRIMARY KEY,
    header BLOB NOT NULL UNIQUE
) STRICT;

-- Of the entry that is kept: SHA-256 of its body, also where that is gone.
ALTER TABLE unopened ADD COLUMN digest BLOB NOT NULL DEFAULT x'';
