"""Lets the vendor's own clients use a vault, so that our fake of it is checked by somebody else.

usage: azure_cross_check.py VAULT_URL CA_FILE OPERATION ARGUMENT…

    wrap KEY HEX             wraps locally under the public key; prints "VERSION HEX"
    unwrap KEY VERSION HEX   lets the vault unwrap; prints HEX
    rotate KEY               prints the new version
    set-secret NAME TEXT     prints the version
    get-secret NAME          prints the text, then the tags as JSON
    delete-secret NAME       deletes, waits, purges
    list-secrets             prints the names, one a line
"""

import json
import os
import sys
import time

vault, ca_file = sys.argv[1:3]
# Read by the HTTP library below the clients.
os.environ["REQUESTS_CA_BUNDLE"] = ca_file
os.environ["NO_PROXY"] = "localhost"

import urllib.parse  # noqa: E402

import requests  # noqa: E402
from azure.core.credentials import AccessToken  # noqa: E402
from azure.keyvault.keys import KeyClient  # noqa: E402
from azure.keyvault.keys.crypto import CryptographyClient, KeyWrapAlgorithm  # noqa: E402
from azure.keyvault.secrets import SecretClient  # noqa: E402


class Application:
    """Client credentials, without the vendor's identity library."""

    def get_token(self, *scopes, **_):
        form = {
            "client_id": "application",
            "client_secret": "fake-client-secret-5fK2",
            "grant_type": "client_credentials",
            "scope": " ".join(scopes),
        }
        url = urllib.parse.urljoin(vault, "/tenant/oauth2/v2.0/token")
        reply = requests.post(url, data=form, timeout=30)
        reply.raise_for_status()
        token = reply.json()
        return AccessToken(token["access_token"], int(time.time()) + token["expires_in"])


APPLICATION = Application()
# The vault is on this machine, and tokens are for another domain.
OPTIONS = {"verify_challenge_resource": False, "retry_total": 0}


def keys():
    return KeyClient(vault, APPLICATION, **OPTIONS)


def secrets():
    return SecretClient(vault, APPLICATION, **OPTIONS)


def cryptography(name, version=None):
    return CryptographyClient(keys().get_key(name, version), APPLICATION, **OPTIONS)


def wrap(name, text):
    result = cryptography(name).wrap_key(KeyWrapAlgorithm.rsa_oaep_256, bytes.fromhex(text))
    print(result.key_id.rsplit("/", 1)[1], result.encrypted_key.hex())


def unwrap(name, version, text):
    client = cryptography(name, version)
    print(client.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, bytes.fromhex(text)).key.hex())


def rotate(name):
    print(keys().rotate_key(name).properties.version)


def set_secret(name, text):
    print(secrets().set_secret(name, text).properties.version)


def get_secret(name):
    secret = secrets().get_secret(name)
    print(secret.value)
    print(json.dumps(secret.properties.tags, sort_keys=True))


def delete_secret(name):
    secrets().begin_delete_secret(name).wait()
    secrets().purge_deleted_secret(name)


def list_secrets():
    for properties in secrets().list_properties_of_secrets():
        print(properties.name)


globals()[sys.argv[3].replace("-", "_")](*sys.argv[4:])
