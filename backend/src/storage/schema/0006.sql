-- Which blob folder belongs to this database: the id in the folder's marker. At most one row.
CREATE TABLE blob_folder (
    id TEXT NOT NULL
) STRICT;
