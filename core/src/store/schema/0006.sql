-- Schema 6: handing over the role of main device.

-- This device, from the showing of its code until it has the identity's key.
CREATE TABLE claiming (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    secret BLOB NOT NULL, -- opens what is answered
    code   TEXT NOT NULL,
    claim  BLOB NOT NULL  -- signed
) STRICT;

-- The device that this one hands over to, until that one's list is seen. No list is signed here meanwhile.
CREATE TABLE handover (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    device BLOB NOT NULL,
    code   TEXT NOT NULL,
    answer BLOB NOT NULL -- sealed, as the channel takes it
) STRICT;

-- 1 for the list on which this device is to be the first.
ALTER TABLE list_change ADD COLUMN is_claim INTEGER NOT NULL DEFAULT 0;
