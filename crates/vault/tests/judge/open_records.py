"""Opens the golden records from SPEC.md alone, with PyCryptodome; shares no code with the crate."""

import copy
import hashlib
import hmac
import json
import pathlib
import struct
import sys

from Crypto.Cipher import AES
from Crypto.Hash import SHA512
from Crypto.Protocol.KDF import HKDF


def lp(data):
    return struct.pack(">H", len(data)) + data


def canonical(ctx):
    fields = [
        ctx["environment"].encode(),
        ctx["chain"].encode(),
        ctx["account_address"].encode(),
        bytes.fromhex(ctx["wallet"].replace("-", "")),
        bytes.fromhex(ctx["key_share"].replace("-", "")),
        bytes.fromhex(ctx["share_set"]),
        struct.pack(">H", ctx["party"]),
        ctx["scheme"].encode(),
        ctx["purpose"].encode(),
        struct.pack(">Q", ctx["generation"]),
        bytes.fromhex(ctx["attempt"]),
        bytes.fromhex(ctx["group_public_key_hash"]),
    ]
    return b"".join(lp(field) for field in fields)


def gcm_open(key, nonce, aad, sealed):
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce)
    cipher.update(aad)
    return cipher.decrypt_and_verify(sealed[:-16], sealed[-16:])


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        piece = self.data[self.at : self.at + length]
        assert len(piece) == length, "too short"
        self.at += length
        return piece

    def number(self, length):
        return int.from_bytes(self.take(length), "big")


def unwrap(keyring, uri, version, wrapped, digest):
    ident = bytes.fromhex(keyring["id"])
    assert uri == "keyring:" + keyring["id"], "another keyring"
    (term,) = [term for term in keyring["terms"] if str(term["term"]) == version]
    secret = bytes.fromhex(term["key"])
    number = struct.pack(">I", term["term"])
    where = ident + lp(keyring["environment"].encode()) + number
    check = HKDF(secret, 16, ident, SHA512, 1, b"halfkey-keyring-check-v1" + where)
    assert check.hex() == term["check"], "check value"
    key = HKDF(secret, 32, ident, SHA512, 1, b"halfkey-keyring-wrap-v1" + where)
    return gcm_open(key, wrapped[:12], digest, wrapped[12:])


def derive(suite, dek, salt):
    if suite == b"\x00\x01":
        return HKDF(dek, 64, salt, SHA512, 1, b"halfkey-record-v1" + suite)
    assert suite == b"\x00\x02", "suite"
    info = b"halfkey-record-v1" + suite + salt
    first = hmac.digest(dek, info + b"\x01", "sha256")
    return first + hmac.digest(dek, first + info + b"\x02", "sha256")


def open_record(vector, keyring):
    context = canonical(vector["ctx"])
    assert context.hex() == vector["ctx_hex"], "canonical context"
    reader = Reader(bytes.fromhex(vector["record"]))
    fixed = reader.take(4 + 1 + 2)
    assert fixed[:5] == b"HKR1\x01", "magic or version"
    salt, commitment, nonce = reader.take(32), reader.take(32), reader.take(12)
    count = reader.number(1)
    assert 1 <= count <= 4, "number of wraps"
    wraps = []
    for _ in range(count):
        uri = reader.take(reader.number(2)).decode()
        version = reader.take(reader.number(1)).decode()
        wraps.append((uri, version, reader.take(reader.number(2))))
    dek = unwrap(keyring, *wraps[0], hashlib.sha256(context).digest())
    okm = derive(fixed[5:], dek, salt)
    assert hmac.compare_digest(okm[32:], commitment), "commitment"
    return gcm_open(okm[:32], nonce, fixed + salt + commitment + context, reader.data[reader.at :])


def main(testdata):
    opened = refused = 0
    for path in sorted(testdata.glob("records/v1/*.json")):
        vector = json.loads(path.read_text())
        keyring = json.loads((testdata / "keyrings/v1" / vector["keyring"]).read_text())
        assert open_record(vector, keyring).hex() == vector["plaintext"], path
        opened += 1
        altered = copy.deepcopy(vector)
        altered["record"] = altered["record"][:-1] + ("0" if altered["record"][-1] != "0" else "1")
        try:
            open_record(altered, keyring)
        except ValueError:
            refused += 1
    print(f"opened {opened} records, refused {refused} altered ones")


main(pathlib.Path(sys.argv[1]))
