// Opens and makes encrypted backups of the published versions v1 and v2 with Node's own OpenSSL,
// which shares no code with Halfkey. Questions and answers as in backup_judge.py.

import crypto from "node:crypto";
import { readFileSync } from "node:fs";

const iterations = { v1: 100_000, v2: 1_000_000 };
const key = (version, password, salt) =>
  crypto.pbkdf2Sync(password, salt, iterations[version ?? "v1"], 32, "sha256");

const asked = {
  open: ({ blob, password }) => {
    const { salt, iv, cipher, version } = JSON.parse(Buffer.from(blob, "base64"));
    const [saltBytes, ivBytes, bytes] = [salt, iv, cipher].map((x) => Buffer.from(x, "base64"));
    const opener = crypto.createDecipheriv("aes-256-gcm", key(version, password, saltBytes), ivBytes);
    opener.setAuthTag(bytes.subarray(-16));
    const plain = Buffer.concat([opener.update(bytes.subarray(0, -16)), opener.final()]);
    return JSON.parse(plain);
  },
  seal: ({ version, password, plain }) => {
    const [salt, iv] = [crypto.randomBytes(16), crypto.randomBytes(12)];
    const sealer = crypto.createCipheriv("aes-256-gcm", key(version, password, salt), iv);
    const text = Buffer.concat([sealer.update(JSON.stringify(plain)), sealer.final()]);
    const cipher = Buffer.concat([text, sealer.getAuthTag()]);
    const [s, i, c] = [salt, iv, cipher].map((x) => x.toString("base64"));
    const blob = { salt: s, iv: i, cipher: c, ...(version ? { version } : {}) };
    return Buffer.from(JSON.stringify(blob)).toString("base64");
  },
};

const answer = (question) => {
  try {
    return { ok: asked[question.ask](question) };
  } catch (error) {
    return { error: `${error}` };
  }
};

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0)).map(answer)));
