-- Schema 5: suspension, and histories that are lost on their way.

-- Suspended devices that the next sync lets in again. A main device's alone.
CREATE TABLE lifting (
    device BLOB PRIMARY KEY NOT NULL
) STRICT, WITHOUT ROWID;

-- Devices that this one had suspended, and when: a relay that was put back to an earlier copy has to be told again.
CREATE TABLE suspended (
    device BLOB PRIMARY KEY NOT NULL,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Since when this device waits to be told where its history is, or when it last asked; 0 while it does not.
ALTER TABLE account ADD COLUMN history_awaited_at INTEGER NOT NULL DEFAULT 0;
