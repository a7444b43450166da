-- Whether the code activates an address anew: the identity that is enrolled under it is dead once the code is used.
ALTER TABLE activation ADD COLUMN reissues INTEGER NOT NULL DEFAULT 0;
