-- Identities that an account had before, each with its last list and what follows it, oldest first.
CREATE TABLE predecessor (
    account INTEGER NOT NULL REFERENCES account (id),
    place INTEGER NOT NULL,
    predecessor BLOB NOT NULL,
    PRIMARY KEY (account, place)
) STRICT, WITHOUT ROWID;

-- Sealed parts of an account's archives; the bytes are in the blob folder.
CREATE TABLE archive_part (
    account INTEGER NOT NULL REFERENCES account (id),
    archive BLOB NOT NULL,
    number INTEGER NOT NULL,
    digest BLOB NOT NULL,
    blob TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    written_at INTEGER NOT NULL,
    PRIMARY KEY (account, archive, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX archive_part_by_blob ON archive_part (blob);
