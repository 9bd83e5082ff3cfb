"""Opens and makes encrypted backups from the published description alone, and Halfkey's `v3` from
docs/guides/backup.md, with pycryptodome and the reference implementation of Argon2 (argon2-cffi).

Standard input: a JSON list of questions {"ask": NAME, ...}. Standard output: the list of answers,
each {"ok": ANSWER} or {"error": TEXT}.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import uuid

from argon2.low_level import Type, hash_secret_raw
from Crypto.Cipher import AES

ITERATIONS = {None: 100_000, "v1": 100_000, "v2": 1_000_000}


def b64(data):
    return base64.b64encode(data).decode()


def pbkdf2(version, password, salt):
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS[version])


def argon2id(password, salt, memory, passes, lanes):
    return hash_secret_raw(password.encode(), salt, passes, memory, lanes, 32, Type.ID)


def hkdf(secret, salt, info):
    """RFC 5869 with SHA-256, one block."""
    pseudorandom = hmac.digest(salt, secret, "sha256")
    return hmac.digest(pseudorandom, info + b"\x01", "sha256")


def v3(blob, password):
    """The key, what the blob commits to, and the associated data."""
    salt, kdf, bound = base64.b64decode(blob["salt"]), blob["kdf"], blob["bound"]
    assert kdf["name"] == "argon2id"
    costs = [kdf["memoryKib"], kdf["passes"], kdf["lanes"]]
    stretched = argon2id(password, salt, *costs)
    commitment = hkdf(stretched, salt, b"halfkey-backup-v3 commitment")
    fields = [
        b"halfkey-backup-v3",
        bound["environment"].encode(),
        uuid.UUID(bound["wallet"]).bytes,
        uuid.UUID(bound["keyShare"]).bytes,
        bytes([bound["party"]]),
        bound["generation"].to_bytes(8, "big"),
        bytes.fromhex(bound["attempt"]),
        *(cost.to_bytes(4, "big") for cost in costs),
        commitment,
    ]
    data = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return hkdf(stretched, salt, b"halfkey-backup-v3 key"), commitment, data


def backup_open(question):
    blob = json.loads(base64.b64decode(question["blob"], validate=True))
    password, version = question["password"], blob.get("version")
    salt, iv, cipher = (base64.b64decode(blob[name]) for name in ("salt", "iv", "cipher"))
    data = b""
    if version == "v3":
        key, commitment, data = v3(blob, password)
        assert b64(commitment) == blob["commitment"], "another commitment"
    else:
        key = pbkdf2(version, password, salt)
    opener = AES.new(key, AES.MODE_GCM, nonce=iv)
    opener.update(data)
    return json.loads(opener.decrypt_and_verify(cipher[:-16], cipher[-16:]))


def backup_seal(question):
    """Seals `plain` as version `version`; `lanes` says that it is the published `v3`."""
    version, password, salt, iv = question["version"], question["password"], *(
        os.urandom(16), os.urandom(12))
    blob, data = {"salt": b64(salt), "iv": b64(iv)}, b""
    if version == "v3" and "lanes" in question:
        key = argon2id(password, salt, 65536, 3, question["lanes"])
    elif version == "v3":
        blob |= {"kdf": question["kdf"], "bound": question["bound"]}
        key, commitment, data = v3(blob, password)
        blob["commitment"] = b64(commitment)
    else:
        key = pbkdf2(version, password, salt)
    sealer = AES.new(key, AES.MODE_GCM, nonce=iv)
    sealer.update(data)
    cipher, tag = sealer.encrypt_and_digest(json.dumps(question["plain"]).encode())
    blob["cipher"] = b64(cipher + tag)
    if version is not None:
        blob["version"] = version
    return b64(json.dumps(blob).encode())


def answer(question):
    try:
        return {"ok": {"open": backup_open, "seal": backup_seal}[question["ask"]](question)}
    except Exception as error:  # whatever it is, it is the answer
        return {"error": f"{type(error).__name__}: {error}"}


json.dump([answer(question) for question in json.load(sys.stdin)], sys.stdout)
