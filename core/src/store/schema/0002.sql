-- Schema 2: identities that follow others, and the backup.

-- Fingerprints of the identities that this account had before: mail sealed to them is still its own.
CREATE TABLE former_identity (
    place       INTEGER PRIMARY KEY NOT NULL, -- the oldest first
    fingerprint BLOB NOT NULL,
    predecessor BLOB NOT NULL DEFAULT x''     -- what leads from it to the next; empty where no word of a recovery key does
) STRICT;

-- Signed device list of the identity in `changed`.
ALTER TABLE correspondent ADD COLUMN changed_list BLOB NOT NULL DEFAULT x'';
-- When two people compared the number of this identity.
ALTER TABLE correspondent ADD COLUMN verified_at INTEGER NOT NULL DEFAULT 0;

-- When it was last tried, and when its sender was asked for it.
ALTER TABLE unopened ADD COLUMN tried_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unopened ADD COLUMN asked_at INTEGER NOT NULL DEFAULT 0;

-- The backup at the relay, while there is one.
CREATE TABLE backup (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    key        BLOB NOT NULL,              -- made from the recovery phrase
    archive    BLOB NOT NULL,
    next_part  INTEGER NOT NULL DEFAULT 0,
    begun_at   INTEGER NOT NULL,           -- by the relay's clock: after a month it is written anew
    written_at INTEGER NOT NULL DEFAULT 0, -- when the relay last had all of it
    full_at    INTEGER NOT NULL DEFAULT 0  -- when the relay had no room for the next part; 0 when it has
) STRICT;

-- A sealed part until the relay has it.
CREATE TABLE backup_part (
    archive BLOB NOT NULL,
    number  INTEGER NOT NULL,
    sealed  BLOB NOT NULL,
    PRIMARY KEY (archive, number)
) STRICT, WITHOUT ROWID;

-- Mails, opened or not, and correspondents that changed since the backup was written. An address alone stands for a correspondent.
CREATE TABLE backup_due (
    address TEXT NOT NULL,
    id      BLOB NOT NULL DEFAULT x'',
    PRIMARY KEY (address, id)
) STRICT, WITHOUT ROWID;

-- The backup of an earlier phone, while it is taken in: `next_part` of `archive` comes next.
CREATE TABLE restoration (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    key       BLOB NOT NULL,
    archive   BLOB NOT NULL DEFAULT x'',
    next_part INTEGER NOT NULL DEFAULT 0
) STRICT;

-- `OR IGNORE` would not do here: the conflict clause of the statement that fires a trigger overrides it.
CREATE TRIGGER backup_message_inserted AFTER INSERT ON message WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO backup_due (address, id) VALUES (new.sender, new.id)
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER backup_message_updated AFTER UPDATE ON message WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO backup_due (address, id) VALUES (new.sender, new.id)
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER backup_message_deleted AFTER DELETE ON message WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO backup_due (address, id) VALUES (old.sender, old.id)
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER backup_unopened_inserted AFTER INSERT ON unopened
WHEN new.id <> x'' AND EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO backup_due (address, id) VALUES (new.sender, new.id)
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER backup_delivery_inserted AFTER INSERT ON delivery WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO backup_due (address, id) SELECT sender, id FROM message WHERE rowid = new.message
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER backup_delivery_updated AFTER UPDATE ON delivery WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO backup_due (address, id) SELECT sender, id FROM message WHERE rowid = new.message
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER backup_exported_inserted AFTER INSERT ON exported WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO backup_due (address, id) SELECT sender, id FROM message WHERE rowid = new.message
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER backup_correspondent_inserted AFTER INSERT ON correspondent WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO backup_due (address) VALUES (new.address)
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER backup_correspondent_updated AFTER UPDATE OF fingerprint, verified_at ON correspondent
WHEN EXISTS (SELECT 1 FROM backup) BEGIN
    INSERT INTO backup_due (address) VALUES (new.address)
    ON CONFLICT DO NOTHING;
END;
