"""Stock SQLCipher 4, with its own OpenSSL provider, at the other end of a store's file format.

    sqlcipher_stock.py read STORE KEY              prints as JSON what it reads
    sqlcipher_stock.py check STORE KEY             prints the pages that do not verify
    sqlcipher_stock.py write STORE KEY SCHEMA      makes a store of schema 1 with one message

KEY is a key file: 64 hexadecimal digits of key, then 32 of salt.
"""

import json
import os
import sys
import unicodedata

import sqlcipher3


def connect(path, key):
    connection = sqlcipher3.connect(path)
    connection.execute(f"PRAGMA key = \"x'{key}'\"")
    connection.execute("PRAGMA cipher_plaintext_header_size = 32")
    return connection


def read(path, key):
    connection = connect(path, key)
    one = lambda sql: connection.execute(sql).fetchone()
    subject, body, content = one("SELECT subject, body, content FROM message WHERE rowid = 1")
    answer = {
        "version": one("PRAGMA cipher_version")[0],
        "subject": subject,
        "body": body,
        "content": content.hex(),
        "messages": one("SELECT count(*) FROM message")[0],
        "found": one("SELECT count(*) FROM message_search WHERE message_search MATCH 'hematurie'")[0],
        "tables": one("PRAGMA integrity_check")[0],
        "pages": [row[0] for row in connection.execute("PRAGMA cipher_integrity_check")],
    }
    connection.close()
    # A key that differs in one digit must not open the file, or the reading above proves nothing.
    wrong = connect(path, ("0" if key[0] != "0" else "1") + key[1:])
    try:
        wrong.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        answer["wrong_key"] = "opened"
    except sqlcipher3.DatabaseError:
        answer["wrong_key"] = "refused"
    return answer


def check(path, key):
    connection = connect(path, key)
    return {"pages": [row[0] for row in connection.execute("PRAGMA cipher_integrity_check")]}


def write(path, key, schema):
    assert not os.path.exists(path)
    connection = connect(path, key)
    connection.create_function("fold", 1, fold, deterministic=True)
    with open(schema, encoding="utf-8") as text:
        connection.executescript(text.read())
    connection.execute("PRAGMA user_version = 1")
    connection.execute(
        "INSERT INTO message (id, sender, direction, subject, body, people, content, dated_at)"
        " VALUES (?, 'claire.petit@medical59.apicrypt.org', 0, ?, ?, 'Claire Petit', ?, 7)",
        (bytes(range(16)), "Hématurie", "Écrit par un autre. " * 1000, b"\x00\xff" * 5000),
    )
    connection.commit()
    connection.close()
    return {"written": os.path.getsize(path)}


def fold(text):
    plain = unicodedata.normalize("NFKD", text.lower())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def main():
    command, path, key_file, *rest = sys.argv[1:]
    with open(key_file, encoding="ascii") as text:
        key = text.read().strip()
    assert len(key) == 96
    print(json.dumps({"check": check, "read": read, "write": write}[command](path, key, *rest)))


main()
