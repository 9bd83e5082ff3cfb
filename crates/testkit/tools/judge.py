"""Checks signatures with implementations that share no code with Halfkey: eth-account and solders.

Standard input: a JSON list of questions {"ask": NAME, ...}. Standard output: the list of answers,
each {"ok": ANSWER} or {"error": TEXT}.
"""

import json
import sys


def evm_message(question):
    from eth_account import Account
    from eth_account.messages import encode_defunct

    message = encode_defunct(hexstr=question["message"])
    return Account.recover_message(message, signature=question["signature"])


def evm_typed_data(question):
    from eth_account import Account
    from eth_account.messages import encode_typed_data

    message = encode_typed_data(full_message=question["typedData"])
    return Account.recover_message(message, signature=question["signature"])


def evm_transaction(question):
    from eth_account import Account

    return Account.recover_transaction(question["transaction"])


def evm_authorization(question):
    """Recovers the authority from chain id, address, nonce and the 65-byte signature."""
    import rlp
    from eth_keys import keys
    from eth_utils import keccak

    fields = [question["chainId"], bytes.fromhex(question["address"][2:]), question["nonce"]]
    signature = bytes.fromhex(question["signature"][2:])
    parity = bytes([signature[64] - 27])
    digest = keccak(b"\x05" + rlp.encode(fields))
    signature = keys.Signature(signature[:64] + parity)
    return signature.recover_public_key_from_msg_hash(digest).to_checksum_address()


def evm_mnemonic(question):
    from eth_account import Account

    Account.enable_unaudited_hdwallet_features()
    account = Account.from_mnemonic(
        question["words"], passphrase=question["passphrase"], account_path=question["path"]
    )
    return account.address


def svm_mnemonic(question):
    """The address at the path; without one, of solana-keygen's own way."""
    import hashlib
    from unicodedata import normalize

    from solders.keypair import Keypair

    # As BIP-39 has it; solders takes the passphrase as it comes.
    words, passphrase = question["words"], normalize("NFKD", question["passphrase"])
    path = question["path"]
    if path is None:
        return str(Keypair.from_seed_phrase_and_passphrase(words, passphrase).pubkey())
    salt = f"mnemonic{passphrase}".encode()
    seed = hashlib.pbkdf2_hmac("sha512", words.encode(), salt, 2048)
    return str(Keypair.from_seed_and_derivation_path(seed, path).pubkey())


def evm_key(question):
    """The address of a private key, as text."""
    from eth_account import Account

    return Account.from_key(question["key"]).address


def svm_key(question):
    """The address of a seed in base58, or of a key pair as a JSON list."""
    import base58
    from solders.keypair import Keypair

    text = question["key"]
    if text.startswith("["):
        return str(Keypair.from_json(text).pubkey())
    return str(Keypair.from_seed(base58.b58decode(text)).pubkey())


def age_file(question):
    import pyrage

    identity = pyrage.x25519.Identity.from_str(question["identity"])
    return pyrage.decrypt(question["file"].encode(), [identity]).decode()


def both(question):
    """The parts of parties 1 and 2, Lagrange's weights for x = 0 in a field of this order."""
    provider, customer = question["provider"], question["customer"]
    assert (provider["party"], customer["party"]) == (1, 2)
    return provider, customer


def evm_export(question):
    """Interpolates the root, and derives the address by BIP-32."""
    import hmac

    from eth_account import Account
    from eth_keys import keys

    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    provider, customer = both(question)
    first, second = (int(part["scalar"], 16) for part in (provider, customer))
    scalar, chain_code = (2 * first - second) % order, bytes.fromhex(customer["chain_code"])
    for index in customer["derivation_path"].split("/")[1:]:
        public = keys.PrivateKey(scalar.to_bytes(32, "big")).public_key.to_compressed_bytes()
        data = public + int(index).to_bytes(4, "big")
        hashed = hmac.digest(chain_code, data, "sha512")
        scalar = (int.from_bytes(hashed[:32], "big") + scalar) % order
        chain_code = hashed[32:]
    return Account.from_key(scalar.to_bytes(32, "big")).address


def svm_export(question):
    from solders.keypair import Keypair

    seeds = [bytes.fromhex(part["seed"]) for part in both(question)]
    seed = bytes(a ^ b for a, b in zip(*seeds))
    return str(Keypair.from_seed(seed).pubkey())


def svm_message(question):
    from solders.pubkey import Pubkey
    from solders.signature import Signature

    signature = Signature.from_string(question["signature"])
    message = bytes.fromhex(question["message"])
    return signature.verify(Pubkey.from_string(question["address"]), message)


def svm_transaction(question):
    """The signers in order, each with whether its signature verifies."""
    from solders.transaction import VersionedTransaction

    transaction = VersionedTransaction.from_bytes(bytes.fromhex(question["transaction"]))
    keys = transaction.message.account_keys
    return [[str(keys[i]), ok] for i, ok in enumerate(transaction.verify_with_results())]


ASKED = {f.__name__: f for f in (
    age_file, evm_export, svm_export, evm_key, svm_key,
    evm_message, evm_typed_data, evm_transaction, evm_authorization, evm_mnemonic, svm_message,
    svm_mnemonic, svm_transaction,
)}


def answer(question):
    try:
        return {"ok": ASKED[question["ask"]](question)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


json.dump([answer(question) for question in json.load(sys.stdin)], sys.stdout)
