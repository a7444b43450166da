-- Accounts as they were when the operator activated their address anew: what they had deposited is still to be verified.
CREATE TABLE ended_account (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account (id),
    fingerprint BLOB NOT NULL,
    keys BLOB NOT NULL
) STRICT;
CREATE INDEX ended_account_of ON ended_account (account);

-- Every device on the last list of such an account, or of one that it followed.
CREATE TABLE ended_device (
    device BLOB PRIMARY KEY NOT NULL,
    ended INTEGER NOT NULL REFERENCES ended_account (id)
) STRICT;
