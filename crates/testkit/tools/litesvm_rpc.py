"""A Solana JSON-RPC node on a free loopback port, backed by LiteSVM (Solana's runtime in process).

Prints "Listening on 127.0.0.1:PORT". Ends when its standard input is closed, so that it never
outlives the test that started it.
"""

import base64
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import base58
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

METHOD_NOT_FOUND = -32601
TRANSACTION_FAILED = -32002


class Ledger:
    def __init__(self):
        self.svm = LiteSVM()
        self.slot = 1

    def in_context(self, value):
        return {"context": {"slot": self.slot, "apiVersion": "2.0.0"}, "value": value}

    def getLatestBlockhash(self, *_):
        blockhash = str(self.svm.latest_blockhash())
        return self.in_context({"blockhash": blockhash, "lastValidBlockHeight": self.slot + 150})

    def getBalance(self, account, *_):
        return self.in_context(self.svm.get_balance(Pubkey.from_string(account)) or 0)

    def requestAirdrop(self, account, lamports, *_):
        self.svm.airdrop(Pubkey.from_string(account), lamports)
        return "1" * 64

    def getVersion(self, *_):
        return {"solana-core": "litesvm", "feature-set": 0}

    def getHealth(self, *_):
        return "ok"

    def getSlot(self, *_):
        return self.slot

    getBlockHeight = getSlot

    def sendTransaction(self, encoded, options=None, *_):
        decode = base58.b58decode
        if (options or {}).get("encoding") == "base64":
            decode = base64.b64decode
        transaction = VersionedTransaction.from_bytes(decode(encoded))
        result = self.svm.send_transaction(transaction)
        self.slot += 1
        if "Failed" in type(result).__name__:
            raise ValueError(str(result.err()))
        return str(transaction.signatures[0])

    def getSignatureStatuses(self, signatures, *_):
        def status(signature):
            if self.svm.get_transaction(Signature.from_string(signature)) is None:
                return None
            return {
                "slot": self.slot,
                "confirmations": None,
                "err": None,
                "status": {"Ok": None},
                "confirmationStatus": "finalized",
            }

        return self.in_context([status(signature) for signature in signatures])


METHODS = {name for name in vars(Ledger) if name[0] != "_" and name != "in_context"}


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        reply = {"jsonrpc": "2.0", "id": request.get("id")}
        method = request["method"]
        if method in METHODS:
            try:
                reply["result"] = getattr(self.server.ledger, method)(*request.get("params", []))
            except Exception as error:
                message = f"Transaction simulation failed: {error}"
                reply["error"] = {"code": TRANSACTION_FAILED, "message": message}
        else:
            reply["error"] = {"code": METHOD_NOT_FOUND, "message": method}
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def end_with_stdin():
    sys.stdin.buffer.read()
    os._exit(0)


def main():
    # LiteSVM belongs to the thread that made it, which is also the one that serves.
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.ledger = Ledger()
    threading.Thread(target=end_with_stdin, daemon=True).start()
    print(f"Listening on 127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


main()
