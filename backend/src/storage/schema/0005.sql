-- When the device was suspended; 0 while it is not. It keeps its place, its prekeys and what waits for it.
ALTER TABLE device ADD COLUMN suspended_at INTEGER NOT NULL DEFAULT 0;
