-- Schema 5: suspension, and histories that are lost on their way.

-- Suspended devices that the next sync lets in again. A main device's alone.
CREATE TABLE lifting (
    device BLOB PRIMARY KEY NOT NULL
) STRICT, WITHOUT ROWID;

-- Since when this device waits to be told where its history is, or when it last asked; 0 while it does not.
ALTER TABLE account ADD COLUMN history_awaited_at INTEGER NOT NULL DEFAULT 0;
