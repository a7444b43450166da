-- Schema 4: devices have names.

-- What the account's devices are called, removed ones included. Who may say so last is in `state`.
CREATE TABLE device_name (
    device BLOB PRIMARY KEY NOT NULL,
    name   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
