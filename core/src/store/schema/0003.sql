-- Schema 3: several devices of one account.

-- How many devices the account has, by the list in `list`.
ALTER TABLE account ADD COLUMN devices INTEGER NOT NULL DEFAULT 1;

-- This device, from the showing of its code until it is on its account's list.
CREATE TABLE joining (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    address     TEXT NOT NULL,
    device_seed BLOB NOT NULL,
    code        TEXT NOT NULL,
    hello       BLOB NOT NULL -- sealed, as the channel takes it
) STRICT;

-- Changes of the device list that the relay has not confirmed, in their order. A main device's alone.
CREATE TABLE list_change (
    rowid   INTEGER PRIMARY KEY,
    added   BLOB NOT NULL DEFAULT x'', -- certificate of the device to be added
    batch   BLOB NOT NULL DEFAULT x'', -- its first batch of prekeys
    removed BLOB NOT NULL DEFAULT x'', -- id of the device to be removed
    upload  BLOB NOT NULL DEFAULT x''  -- signed at the first attempt
) STRICT;

-- Devices that are being added here.
CREATE TABLE linking (
    device    BLOB PRIMARY KEY NOT NULL,
    name      TEXT NOT NULL,
    code      TEXT NOT NULL,
    archive   BLOB NOT NULL,
    key       BLOB NOT NULL,
    next_part INTEGER NOT NULL DEFAULT 0,
    -- 0 not on the list yet, 1 on it, 2 its history is written, 3 it was told where that is
    step      INTEGER NOT NULL DEFAULT 0,
    begun_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a new device's history lacks.
CREATE TABLE history_due (
    device  BLOB NOT NULL,
    address TEXT NOT NULL,
    id      BLOB NOT NULL DEFAULT x'',
    PRIMARY KEY (device, address, id)
) STRICT, WITHOUT ROWID;

-- The one archive to be taken in, with so many parts, if it is a main device's history and no backup.
ALTER TABLE restoration ADD COLUMN history BLOB NOT NULL DEFAULT x'';
ALTER TABLE restoration ADD COLUMN parts INTEGER NOT NULL DEFAULT 0;

-- The newest state of each field of each mail, also of mails that have not come yet.
CREATE TABLE state (
    sender TEXT NOT NULL,
    id     BLOB NOT NULL,
    field  INTEGER NOT NULL,
    value  INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    device BLOB NOT NULL,
    -- 1 while the account's other devices have not been told, 2 where that waits for another state, or a day
    due    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (sender, id, field)
) STRICT, WITHOUT ROWID;

CREATE INDEX state_due ON state (due) WHERE due = 1;

-- What another device deleted while it was on its way out here goes when it has left; 3 is `Field::Deleted`.
CREATE TRIGGER deleted_once_sent AFTER DELETE ON outbox BEGIN
    DELETE FROM message WHERE rowid = old.message
    AND EXISTS (SELECT 1 FROM state WHERE sender = message.sender AND id = message.id AND field = 3)
    AND NOT EXISTS (SELECT 1 FROM outbox WHERE message = old.message AND refused = '');
END;
