-- A device's row is never another one's afterwards: AUTOINCREMENT. Tokens name it.
CREATE TABLE numbered_device (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL REFERENCES account (id),
    device BLOB NOT NULL UNIQUE,
    key BLOB NOT NULL,
    head_number INTEGER NOT NULL DEFAULT 0,
    head_hash BLOB NOT NULL DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000',
    acknowledged_number INTEGER NOT NULL DEFAULT 0,
    acknowledged_hash BLOB NOT NULL DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000',
    handed_number INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO numbered_device
    (id, account, device, key, head_number, head_hash, acknowledged_number, acknowledged_hash, handed_number)
    SELECT id, account, device, key, head_number, head_hash, acknowledged_number, acknowledged_hash, handed_number
    FROM device;
DROP TABLE device;
ALTER TABLE numbered_device RENAME TO device;
CREATE INDEX device_by_account ON device (account);
