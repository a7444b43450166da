-- The relay's tables. Of messages they hold what an envelope shows outside, and ciphertext.

CREATE TABLE directory_entry (
    id INTEGER PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,
    given TEXT NOT NULL,
    surname TEXT NOT NULL,
    departement TEXT NOT NULL,
    profession TEXT NOT NULL DEFAULT '',
    specialty TEXT NOT NULL DEFAULT '',
    postcode TEXT NOT NULL DEFAULT '',
    town TEXT NOT NULL DEFAULT '',
    folded_given TEXT NOT NULL,
    folded_surname TEXT NOT NULL,
    folded_profession TEXT NOT NULL,
    folded_town TEXT NOT NULL
) STRICT;
CREATE INDEX directory_entry_by_person
    ON directory_entry (departement, folded_surname, folded_given, folded_town, folded_profession);
CREATE INDEX directory_entry_by_town ON directory_entry (folded_town, folded_surname);

-- Each word of each name, folded, for search by prefix.
CREATE TABLE directory_word (
    word TEXT NOT NULL,
    entry INTEGER NOT NULL REFERENCES directory_entry (id) ON DELETE CASCADE,
    PRIMARY KEY (word, entry)
) STRICT, WITHOUT ROWID;

CREATE TABLE activation (
    address TEXT PRIMARY KEY NOT NULL REFERENCES directory_entry (address),
    salt BLOB NOT NULL,
    hash BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    used INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    id INTEGER PRIMARY KEY,
    address TEXT NOT NULL UNIQUE REFERENCES directory_entry (address),
    identity BLOB NOT NULL,
    list BLOB NOT NULL,
    -- SHA-256 of the enrolment as it came: the same one again gets the same answer.
    enrolment BLOB NOT NULL,
    enrolled_at INTEGER NOT NULL
) STRICT;

-- A device and its head: number and running hash of its newest entry, then the same of what it acknowledged.
-- `handed_number` is the newest entry that was ever put on the wire for it.
CREATE TABLE device (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account (id),
    device BLOB NOT NULL UNIQUE,
    key BLOB NOT NULL,
    head_number INTEGER NOT NULL DEFAULT 0,
    head_hash BLOB NOT NULL DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000',
    acknowledged_number INTEGER NOT NULL DEFAULT 0,
    acknowledged_hash BLOB NOT NULL DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000',
    handed_number INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX device_by_account ON device (account);

-- The newest batch of each device: senders refuse older ones once they have seen it.
CREATE TABLE prekey_batch (
    device INTEGER PRIMARY KEY REFERENCES device (id),
    number INTEGER NOT NULL,
    root BLOB NOT NULL,
    leaf_hashes BLOB NOT NULL,
    not_after INTEGER NOT NULL
) STRICT;

-- The one-time prekeys not yet handed out.
CREATE TABLE prekey (
    device INTEGER NOT NULL REFERENCES prekey_batch (device),
    leaf INTEGER NOT NULL,
    key BLOB NOT NULL,
    UNIQUE (device, leaf)
) STRICT;

-- Every accepted deposit, to repeat its first answer.
CREATE TABLE deposit (
    id INTEGER PRIMARY KEY,
    sender INTEGER NOT NULL REFERENCES account (id),
    message BLOB NOT NULL,
    header_digest BLOB NOT NULL,
    notices INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    answer TEXT NOT NULL,
    UNIQUE (sender, message)
) STRICT;
CREATE INDEX deposit_by_age ON deposit (accepted_at);

-- What became of a deposit for each recipient; `step` is numbered as on the wire.
CREATE TABLE delivery (
    deposit INTEGER NOT NULL REFERENCES deposit (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    step INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (deposit, address)
) STRICT, WITHOUT ROWID;

-- Payloads that some entry still needs: here, or in the blob folder under the name given.
CREATE TABLE payload (
    deposit INTEGER PRIMARY KEY REFERENCES deposit (id),
    bytes BLOB NOT NULL DEFAULT x'',
    blob TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX payload_by_blob ON payload (blob) WHERE blob <> '';

-- Entries not yet acknowledged. An empty body was withdrawn. `deposit` is 0 for a notice.
CREATE TABLE sequence_entry (
    id INTEGER PRIMARY KEY,
    device INTEGER NOT NULL REFERENCES device (id),
    number INTEGER NOT NULL,
    digest BLOB NOT NULL,
    hash BLOB NOT NULL,
    body BLOB NOT NULL,
    deposit INTEGER NOT NULL DEFAULT 0,
    UNIQUE (device, number)
) STRICT;
CREATE INDEX sequence_entry_by_deposit ON sequence_entry (deposit) WHERE deposit <> 0;
