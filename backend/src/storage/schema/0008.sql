-- When the device last proved itself, to the day. Those that are there count as seen now.
ALTER TABLE device ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;
UPDATE device SET seen_at = CAST(unixepoch('subsec') * 1000 AS INTEGER);
