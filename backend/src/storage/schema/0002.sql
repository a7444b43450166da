-- Withdrawals that overtook their deposit: the deposit is refused when it comes.
CREATE TABLE withdrawal (
    sender INTEGER NOT NULL REFERENCES account (id),
    message BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (sender, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX withdrawal_by_age ON withdrawal (at);

-- How much of a page a payload takes. Of files from before this column it is taken to be the most there can be.
ALTER TABLE payload ADD COLUMN size_bytes INTEGER NOT NULL DEFAULT 1102336;
UPDATE payload SET size_bytes = length(bytes) WHERE blob = '';
