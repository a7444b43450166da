-- Whether the sender was told that nobody retrieves it: once, while it waits.
ALTER TABLE delivery ADD COLUMN is_told INTEGER NOT NULL DEFAULT 0;
CREATE INDEX delivery_waiting ON delivery (deposit) WHERE step = 0;
