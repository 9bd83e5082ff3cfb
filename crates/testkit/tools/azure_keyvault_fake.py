"""A fake of Azure Key Vault and of Entra ID's token endpoint, over TLS 1.3, with real cryptography.

usage: azure_keyvault_fake.py PORT CONTROL_PORT CERTIFICATE KEY

Prints "ready". Everything is on localhost and in memory. The control port takes one JSON value a
line and answers with one: see the methods of Control.

What it does as the service does: the challenge (401 without a body), key and secret versions, the
enabled flag (403 with an inner error), tags, RSA-OAEP-256 and, for oct-HSM, A256KW, soft deletion
(with a moment in which a secret is nowhere), purging, conflicts with deleted names, pages with a
skip token, limits of names and values, names that ignore case.

What it leaves out: who may do what. Any token it gave out may do everything but what a fault denies.
"""

import base64
import json
import os
import re
import socketserver
import ssl
import sys
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import padding, rsa

PAGE = 10
RETENTION = 90 * 86400
CLIENT_SECRET = "fake-client-secret-5fK2"
CLIENT_ASSERTION = "fake-federated-token-9xQ7"
MACHINE_HEADER = "fake-machine-header-2bW8"
OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(value):
    return encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Refused(Exception):
    def __init__(self, status, code, inner=None, message="refused"):
        super().__init__(message)
        error = {"code": code, "message": message}
        if inner:
            error["innererror"] = {"code": inner}
        self.status, self.body = status, {"error": error}


class Version:
    """One version of a key or secret."""

    def __init__(self, tags, enabled=True):
        now = int(time.time())
        self.id, self.tags = uuid.uuid4().hex, dict(tags or {})
        self.created, self.enabled = now, enabled

    def attributes(self):
        return {
            "enabled": self.enabled,
            "created": self.created,
            "updated": self.created,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        }


class Key(Version):
    def __init__(self, kty, size, ops, tags, enabled=True):
        super().__init__(tags, enabled)
        self.kty, self.size, self.ops = kty, size, list(ops)
        if kty == "oct-HSM":
            self.material = os.urandom(32)
        elif kty == "EC":
            self.material = None
        else:
            self.material = rsa.generate_private_key(public_exponent=65537, key_size=size)

    def jwk(self, kid):
        jwk = {"kid": kid, "kty": self.kty, "key_ops": self.ops}
        if self.kty.startswith("RSA"):
            public = self.material.public_key().public_numbers()
            jwk.update(n=number(public.n), e=number(public.e))
        return jwk

    def wrap(self, algorithm, value):
        if self.kty == "oct-HSM" and algorithm == "A256KW":
            return keywrap.aes_key_wrap(self.material, value)
        if self.kty.startswith("RSA") and algorithm == "RSA-OAEP-256":
            return self.material.public_key().encrypt(value, OAEP)
        raise ValueError(algorithm)

    def unwrap(self, algorithm, value):
        if self.kty == "oct-HSM" and algorithm == "A256KW":
            return keywrap.aes_key_unwrap(self.material, value)
        if self.kty.startswith("RSA") and algorithm == "RSA-OAEP-256":
            return self.material.decrypt(value, OAEP)
        raise ValueError(algorithm)


class Secret(Version):
    def __init__(self, value, content_type, tags):
        super().__init__(tags)
        self.value, self.content_type = value, content_type

    def shown(self, id, with_value):
        shown = {"id": id, "attributes": self.attributes(), "tags": self.tags}
        if self.content_type:
            shown["contentType"] = self.content_type
        if with_value:
            shown["value"] = self.value
        return shown


class State:
    """Everything the fake holds. One lock: the requests of the tests are short."""

    def __init__(self):
        self.lock = threading.RLock()
        self.healed = threading.Condition(self.lock)
        self.keys, self.secrets, self.deleted, self.coming_through = {}, {}, {}, {}
        self.tokens, self.faults, self.received = set(), [], []
        self.drops_tags = set()
        self.protected = set()

    def new_token(self):
        token = f"fake-token-{uuid.uuid4()}"
        with self.lock:
            self.tokens.add(token)
        return token

    def fault(self, line):
        """The first fault for this request line; used up after its number of times."""
        with self.lock:
            for fault in self.faults:
                if fault["match"] in line and fault["times"] != 0:
                    fault["times"] -= 1
                    return fault
        return None


STATE = State()
BASE = ""


def newest(versions, version, kind):
    if version:
        for found in versions:
            if found.id == version:
                return found
        raise Refused(404, f"{kind}NotFound")
    return versions[-1]


# --- keys


def key_versions(name):
    versions = STATE.keys.get(name.lower())
    if not versions:
        raise Refused(404, "KeyNotFound")
    return versions


def key_shown(name, key):
    kid = f"{BASE}/keys/{name}/{key.id}"
    return {"key": key.jwk(kid), "attributes": key.attributes(), "tags": key.tags}


def keys(method, path, query, body):
    name = path[0]
    versions = key_versions(name)
    if path[1:] == ["versions"]:
        items = [
            {
                "kid": f"{BASE}/keys/{name}/{key.id}",
                "attributes": key.attributes(),
                "tags": key.tags,
            }
            for key in versions
        ]
        return 200, page(f"/keys/{name}/versions", items, lambda item: item["kid"], query)
    if path[1:] == ["rotate"] and method == "POST":
        old = versions[-1]
        tags = {} if name.lower() in STATE.drops_tags else old.tags
        versions.append(Key(old.kty, old.size, old.ops, tags))
        return 200, key_shown(name, versions[-1])
    # /{name}/wrapkey, /{name}/{version}/wrapkey, /{name}/{version}, /{name}
    operation = path[-1] if path[-1] in ("wrapkey", "unwrapkey") else None
    version = next((part for part in path[1:] if part != operation), None)
    if operation == "unwrapkey" and not version:
        raise Refused(400, "BadParameter")
    key = newest(versions, version, "Key")
    if method == "GET" and not operation:
        return 200, key_shown(name, key)
    if method == "PATCH" and not operation:
        if "enabled" in body.get("attributes", {}):
            key.enabled = body["attributes"]["enabled"]
        key.tags = body.get("tags", key.tags)
        return 200, key_shown(name, key)
    if method != "POST" or not operation:
        raise Refused(405, "MethodNotAllowed")
    if not key.enabled:
        raise Refused(403, "Forbidden", "KeyDisabled", "not allowed on a disabled key")
    if operation not in [op.lower() for op in key.ops]:
        raise Refused(403, "Forbidden", "KeyOperationForbidden")
    try:
        work = key.wrap if operation == "wrapkey" else key.unwrap
        result = work(body["alg"], decode(body["value"]))
    except Exception as error:
        raise Refused(400, "BadParameter") from error
    return 200, {"kid": f"{BASE}/keys/{name}/{key.id}", "value": encode(result)}


# --- secrets


def secret_id(name, secret):
    return f"{BASE}/secrets/{name}/{secret.id}"


def set_secret(name, body):
    if not re.fullmatch(r"[0-9a-zA-Z-]{1,127}", name) or len(body["value"]) > 25000:
        raise Refused(400, "BadParameter")
    tags = body.get("tags") or {}
    if len(tags) > 15 or any(len(k) > 256 or len(v) > 256 for k, v in tags.items()):
        raise Refused(400, "BadParameter")
    if name.lower() in STATE.deleted:
        coming = STATE.coming_through.get(name.lower(), 0) > 0
        inner = "ObjectIsBeingDeleted" if coming else "ObjectIsDeletedButRecoverable"
        raise Refused(409, "Conflict", inner)
    secret = Secret(body["value"], body.get("contentType"), tags)
    STATE.secrets.setdefault(name.lower(), []).append(secret)
    return 200, secret.shown(secret_id(name, secret), True)


def secrets(method, path, query, body):
    if not path:
        items = [
            versions[-1].shown(f"{BASE}/secrets/{name}", False)
            for name, versions in sorted(STATE.secrets.items())
        ]
        return 200, page("/secrets", items, lambda item: item["id"], query)
    name, version = path[0], (path + [None])[1]
    if method == "PUT":
        return set_secret(name, body)
    versions = STATE.secrets.get(name.lower())
    if not versions:
        raise Refused(404, "SecretNotFound")
    if method == "DELETE":
        STATE.deleted[name.lower()] = STATE.secrets.pop(name.lower())
        # The next question finds it nowhere.
        STATE.coming_through[name.lower()] = 1
        return 200, deleted_shown(name, versions[-1])
    secret = newest(versions, version, "Secret")
    if method == "GET":
        if not secret.enabled:
            raise Refused(403, "Forbidden", "SecretDisabled", "not allowed on a disabled secret")
        return 200, secret.shown(secret_id(name, secret), True)
    if method == "PATCH":
        secret.enabled = body.get("attributes", {}).get("enabled", secret.enabled)
        return 200, secret.shown(secret_id(name, secret), False)
    raise Refused(405, "MethodNotAllowed")


def deleted_shown(name, secret):
    shown, now = secret.shown(secret_id(name, secret), False), int(time.time())
    shown.update(recoveryId=f"{BASE}/deletedsecrets/{name}", deletedDate=now)
    shown["scheduledPurgeDate"] = now + RETENTION
    if name.lower() in STATE.protected:
        shown["attributes"]["recoveryLevel"] = "Recoverable"
    return shown


def deleted_secrets(method, path, _query, _body):
    name = path[0].lower()
    versions = STATE.deleted.get(name)
    if not versions:
        raise Refused(404, "SecretNotFound")
    if STATE.coming_through.get(name, 0) > 0:
        STATE.coming_through[name] -= 1
        if method == "DELETE":
            raise Refused(409, "Conflict", "ObjectIsBeingDeleted")
        raise Refused(404, "SecretNotFound")
    if method == "GET":
        return 200, deleted_shown(path[0], versions[-1])
    if name in STATE.protected:
        raise Refused(403, "Forbidden", "ForbiddenByPolicy")
    del STATE.deleted[name]
    return 204, None


def page(path, items, order, query):
    """The vault's order is nobody's business: here it is that of the ids."""
    after = decode(query["$skiptoken"]).decode() if "$skiptoken" in query else ""
    rest = sorted((item for item in items if order(item) > after), key=order)
    shown = rest[: min(PAGE, int(query.get("maxresults", PAGE)))]
    link = None
    if len(rest) > len(shown):
        token = encode(order(shown[-1]).encode())
        link = f"{BASE}{path}?api-version={query['api-version']}&$skiptoken={token}"
    return {"value": shown, "nextLink": link}


# --- HTTP


class Vault(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A reply in one piece, at once.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def reply(self, status, body=None, headers=None, raw=None):
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("x-ms-request-id", str(uuid.uuid4()))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def handle_request(self):
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        # The vendor's Rust client leaves an empty part where no version is named.
        line = f"{self.command} " + re.sub("/+", "/", self.path)
        with STATE.lock:
            STATE.received.append((line, str(self.headers), raw))
        fault = STATE.fault(line)
        if fault:
            return self.go_wrong(fault)
        url = urllib.parse.urlsplit(self.path)
        path = [part for part in url.path.split("/") if part]
        if path[-2:] == ["v2.0", "token"]:
            return self.give_token(urllib.parse.parse_qs(raw.decode()))
        if path[:1] == ["msi"]:
            return self.give_machine_token(urllib.parse.parse_qs(url.query))
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in STATE.tokens:
            resource = "https://vault.azure.net"
            challenge = f'Bearer authorization="{BASE}/tenant", resource="{resource}"'
            body = {"error": {"code": "Unauthorized", "message": "AKV10000"}}
            return self.reply(401, body, {"WWW-Authenticate": challenge})
        query = dict(urllib.parse.parse_qsl(url.query))
        try:
            if "api-version" not in query:
                raise Refused(400, "BadParameter")
            routes = {"keys": keys, "secrets": secrets, "deletedsecrets": deleted_secrets}
            if not path or path[0] not in routes:
                raise Refused(404, "NotFound")
            with STATE.lock:
                body = json.loads(raw) if raw else {}
                status, answer = routes[path[0]](self.command, path[1:], query, body)
        except Refused as refused:
            status, answer = refused.status, refused.body
        self.reply(status, answer)

    def give_token(self, form):
        secret = form.get("client_secret") == [CLIENT_SECRET]
        assertion = form.get("client_assertion") == [CLIENT_ASSERTION]
        if not secret and not assertion:
            error = {"error": "invalid_client", "error_codes": [7000215], "error_description": "no"}
            return self.reply(401, error)
        self.reply(
            200, {"token_type": "Bearer", "expires_in": 3600, "access_token": STATE.new_token()}
        )

    def give_machine_token(self, query):
        """As App Service does, to whoever knows the header."""
        if self.headers.get("X-Identity-Header") != MACHINE_HEADER:
            return self.reply(400, {"error": {"code": "invalid_request", "message": "x"}})
        self.reply(
            200,
            {
                "access_token": STATE.new_token(),
                "expires_on": str(int(time.time()) + 3600),
                "resource": query["resource"][0],
                "token_type": "Bearer",
            },
        )

    def go_wrong(self, fault):
        kind = fault["kind"]
        if kind == "throttle":
            self.reply(429, {"error": {"code": "Throttled", "message": "x"}}, {"Retry-After": "1"})
        elif kind == "deny":
            body = Refused(403, "Forbidden", "ForbiddenByRbac").body
            self.reply(403, body)
        elif kind == "status":
            self.reply(fault["status"], {"error": {"code": "x", "message": "x"}})
        elif kind == "garbage":
            self.reply(200, raw=b"<html>a proxy's page</html>")
        elif kind == "json":
            self.reply(fault.get("status", 200), fault["body"])
        elif kind == "challenge":
            self.reply(401, {}, {"WWW-Authenticate": fault["challenge"]})
        elif kind == "redirect":
            self.reply(307, {}, {"Location": f"{BASE}{self.path}&again=1"})
        elif kind == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"value":')
            self.close_connection = True
        elif kind == "hang":
            with STATE.lock:
                STATE.healed.wait_for(lambda: fault not in STATE.faults)
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = handle_request


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


# --- control


class Control(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            ask = json.loads(line)
            with STATE.lock:
                answer = getattr(self, ask.pop("do"))(**ask)
            self.wfile.write(json.dumps(answer).encode() + b"\n")

    def create_key(
        self, name, kty="RSA", size=2048, ops=("wrapKey", "unwrapKey"), tags=None, enabled=True
    ):
        key = Key(kty, size, ops, tags, enabled)
        STATE.keys.setdefault(name.lower(), []).append(key)
        return key.id

    def delete_key(self, name):
        del STATE.keys[name.lower()]

    def drop_tags_on_rotation(self, name):
        STATE.drops_tags.add(name.lower())

    def set_key(self, name, version, enabled):
        newest(STATE.keys[name.lower()], version, "Key").enabled = enabled

    def unwrap(self, name, version, value):
        """Unwraps here, for tests that look at what was wrapped."""
        key = newest(STATE.keys[name.lower()], version, "Key")
        algorithm = "A256KW" if key.kty == "oct-HSM" else "RSA-OAEP-256"
        return key.unwrap(algorithm, bytes.fromhex(value)).hex()

    def wrap(self, name, value):
        key = STATE.keys[name.lower()][-1]
        algorithm = "A256KW" if key.kty == "oct-HSM" else "RSA-OAEP-256"
        return key.wrap(algorithm, bytes.fromhex(value)).hex()

    def put_secret(self, name, value):
        STATE.secrets.setdefault(name.lower(), []).append(Secret(value, None, {}))

    def set_secret(self, name, enabled):
        STATE.secrets[name.lower()][-1].enabled = enabled

    def secret(self, name):
        """Its versions, newest last, and whether it is deleted."""
        held = STATE.secrets.get(name.lower(), []) + STATE.deleted.get(name.lower(), [])
        versions = [version.shown(name, True) for version in held]
        return {"versions": versions, "deleted": name.lower() in STATE.deleted}

    def protect(self, name):
        STATE.protected.add(name.lower())

    def fault(self, match, kind, times=-1, **more):
        STATE.faults.append({"match": match, "kind": kind, "times": times, **more})

    def heal(self, match):
        STATE.faults = [fault for fault in STATE.faults if fault["match"] != match]
        STATE.healed.notify_all()

    def new_token(self):
        return STATE.new_token()

    def calls(self, match):
        return sum(match in line for line, _, _ in STATE.received)

    def dump(self):
        """Everything that was received and is held, as base64 of bytes."""
        parts = []
        for line, headers, raw in STATE.received:
            parts += [line.encode(), headers.encode(), raw]
        for held in (STATE.secrets, STATE.deleted):
            for name, versions in held.items():
                parts += [json.dumps(v.shown(name, True)).encode() for v in versions]
        # What was received is JSON with base64url inside, so what is inside is shown as well.
        texts = re.findall(rb'"value": ?"([A-Za-z0-9_-]+)"', b"\n".join(parts))
        parts += [decode(text.decode()) for text in texts if len(text) % 4 != 1]
        return base64.b64encode(b"\n".join(parts)).decode()


class ControlServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


def main():
    global BASE
    port, control_port = int(sys.argv[1]), int(sys.argv[2])
    server = Server(("127.0.0.1", port), Vault)
    control = ControlServer(("127.0.0.1", control_port), Control)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    # In the thread of the connection: a client that refuses the certificate must not stop the rest.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    BASE = f"https://localhost:{port}"
    threading.Thread(target=control.serve_forever, daemon=True).start()
    print("ready", flush=True)
    server.serve_forever()


main()
