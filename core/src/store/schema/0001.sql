-- Schema 1 of a phone's store. Times are milliseconds since the Unix epoch; 0 means "not yet".

CREATE TABLE setting (
    name  TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The account of this phone: one row once it is enrolled.
CREATE TABLE account (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    address       TEXT NOT NULL,
    identity      BLOB NOT NULL,           -- signed identity
    identity_seed BLOB NOT NULL,           -- empty on a device that is not the main one
    list          BLOB NOT NULL,           -- signed device list
    device        BLOB NOT NULL,
    device_seed   BLOB NOT NULL,
    server        TEXT NOT NULL DEFAULT '',
    enrolled_at   INTEGER NOT NULL DEFAULT 0 -- 0 while the relay has not confirmed
) STRICT;

-- Private halves of published prekeys; leaf -1 is a batch's last-resort prekey.
CREATE TABLE prekey (
    batch     INTEGER NOT NULL,
    leaf      INTEGER NOT NULL,
    secret    BLOB NOT NULL,
    not_after INTEGER NOT NULL,
    PRIMARY KEY (batch, leaf)
) STRICT, WITHOUT ROWID;

-- A batch until the relay has it.
CREATE TABLE batch_upload (
    number INTEGER PRIMARY KEY NOT NULL,
    upload BLOB NOT NULL
) STRICT;

-- Accounts whose identity this phone has pinned.
CREATE TABLE correspondent (
    address     TEXT PRIMARY KEY NOT NULL,
    fingerprint BLOB NOT NULL,
    identity    BLOB NOT NULL,
    list        BLOB NOT NULL,
    version     INTEGER NOT NULL,
    name        TEXT NOT NULL DEFAULT '',
    -- signed identity that differs from the pinned one, until a person accepts it
    changed     BLOB NOT NULL DEFAULT x''
) STRICT, WITHOUT ROWID;

-- The newest batch seen of each device: older ones are refused.
CREATE TABLE batch_seen (
    device BLOB PRIMARY KEY NOT NULL,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
    -- the number by which a person, and a list that was read before, names it: never another's, even after it is deleted
    rowid         INTEGER PRIMARY KEY AUTOINCREMENT,
    id            BLOB NOT NULL,
    sender        TEXT NOT NULL,
    direction     INTEGER NOT NULL,         -- 0 received, 1 sent, 2 draft
    subject       TEXT NOT NULL DEFAULT '',
    body          TEXT NOT NULL DEFAULT '',
    people        TEXT NOT NULL DEFAULT '', -- addresses and names of the correspondents
    patient       TEXT NOT NULL DEFAULT '', -- surname, first name, birth date
    content       BLOB NOT NULL,            -- MIME
    statement     BLOB NOT NULL DEFAULT x'',
    signature     BLOB NOT NULL DEFAULT x'',
    content_key   BLOB NOT NULL DEFAULT x'', -- of a sent message, to wrap it again
    header        BLOB NOT NULL DEFAULT x'',
    attachments   INTEGER NOT NULL DEFAULT 0,
    in_reply_to   BLOB NOT NULL DEFAULT x'',
    dated_at      INTEGER NOT NULL,         -- by which lists are ordered
    read_at       INTEGER NOT NULL DEFAULT 0,
    handled_at    INTEGER NOT NULL DEFAULT 0,
    archived_at   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (sender, id)
) STRICT;

CREATE INDEX message_by_date ON message (direction, archived_at, dated_at DESC);
CREATE INDEX message_archived ON message (dated_at DESC) WHERE archived_at > 0;

-- What became of a sent message, per recipient account.
CREATE TABLE delivery (
    message  INTEGER NOT NULL REFERENCES message (rowid) ON DELETE CASCADE,
    address  TEXT NOT NULL,
    state    INTEGER NOT NULL DEFAULT 0, -- queued, sent, available, retrieved, read, handled; 20 and up ended badly
    state_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (message, address)
) STRICT, WITHOUT ROWID;

-- What this phone still has to tell the relay, one row a change.
CREATE TABLE outbox (
    rowid           INTEGER PRIMARY KEY,
    kind            INTEGER NOT NULL,          -- 0 mail, 1 receipts, 2 withdrawal
    idempotency_key BLOB NOT NULL UNIQUE,      -- the message id
    message         INTEGER REFERENCES message (rowid) ON DELETE CASCADE,
    recipients      TEXT NOT NULL,             -- addresses, one a line
    header          BLOB NOT NULL DEFAULT x'',
    payload         BLOB NOT NULL DEFAULT x'',
    content_key     BLOB NOT NULL DEFAULT x'',
    content         BLOB NOT NULL DEFAULT x'', -- of receipts, until they are sealed
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER NOT NULL DEFAULT 0,
    refused         TEXT NOT NULL DEFAULT ''   -- the code with which it was refused for good
) STRICT;

CREATE INDEX outbox_by_message ON outbox (message);

-- Messages that arrived, deleted ones included: none arrives twice.
CREATE TABLE seen (
    sender  TEXT NOT NULL,
    id      BLOB NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (sender, id)
) STRICT, WITHOUT ROWID;

-- Envelopes that could not be opened, kept sealed.
CREATE TABLE unopened (
    rowid       INTEGER PRIMARY KEY,
    sender      TEXT NOT NULL DEFAULT '',
    id          BLOB NOT NULL DEFAULT x'',
    entry       BLOB NOT NULL, -- encoded body of the entry
    payload     BLOB NOT NULL,
    reason      TEXT NOT NULL,
    received_at INTEGER NOT NULL
) STRICT;

-- Receipts to be sent with the next sync.
CREATE TABLE receipt (
    sender  TEXT NOT NULL,
    id      BLOB NOT NULL,
    reading INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (sender, id, reading)
) STRICT, WITHOUT ROWID;

-- How far this device's sequence was taken in.
CREATE TABLE cursor (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL,
    hash   BLOB NOT NULL
) STRICT;

INSERT INTO cursor (id, number, hash) VALUES (1, 0, zeroblob(32));

-- Documents dropped into the practice software's folder.
CREATE TABLE exported (
    message     INTEGER PRIMARY KEY REFERENCES message (rowid) ON DELETE CASCADE,
    file        TEXT NOT NULL,
    exported_at INTEGER NOT NULL
) STRICT;

-- The full-text index. It keeps no text: what it is told at a deletion must be what it was told before, so
-- triggers alone write it. `fold` is a function that the store gives each connection (accents, case, ligatures).
CREATE VIRTUAL TABLE message_search USING fts5 (
    subject, body, people, patient,
    content = '',
    prefix = '2 3',
    tokenize = "unicode61 remove_diacritics 2"
);

-- A contentless table with `contentless_delete` would leave deleted words in its segments; this does not.
INSERT INTO message_search (message_search, rank) VALUES ('secure-delete', 1);

CREATE TRIGGER message_inserted AFTER INSERT ON message BEGIN
    INSERT INTO message_search (rowid, subject, body, people, patient)
    VALUES (new.rowid, fold(new.subject), fold(new.body), fold(new.people), fold(new.patient));
END;

CREATE TRIGGER message_deleted AFTER DELETE ON message BEGIN
    INSERT INTO message_search (message_search, rowid, subject, body, people, patient)
    VALUES ('delete', old.rowid, fold(old.subject), fold(old.body), fold(old.people), fold(old.patient));
END;

CREATE TRIGGER message_updated AFTER UPDATE OF rowid, subject, body, people, patient ON message BEGIN
    INSERT INTO message_search (message_search, rowid, subject, body, people, patient)
    VALUES ('delete', old.rowid, fold(old.subject), fold(old.body), fold(old.people), fold(old.patient));
    INSERT INTO message_search (rowid, subject, body, people, patient)
    VALUES (new.rowid, fold(new.subject), fold(new.body), fold(new.people), fold(new.patient));
END;
