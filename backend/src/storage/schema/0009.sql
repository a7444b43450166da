-- The removal of each device that was taken off its account's list: what shows that it was on the one before.
CREATE TABLE removal (
    device BLOB PRIMARY KEY NOT NULL,
    account INTEGER NOT NULL REFERENCES account (id),
    removal BLOB NOT NULL
) STRICT;
