-- SHA-256 of the header of the last envelope that was accepted from the device: empty before the first.
ALTER TABLE device ADD COLUMN deposited BLOB NOT NULL DEFAULT x'';
