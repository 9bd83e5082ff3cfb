// Makes and opens delegation envelopes with Node's own crypto module (OpenSSL), which shares no
// code with Halfkey. Questions and answers as in judge.py.

import {
  constants,
  createCipheriv,
  createDecipheriv,
  generateKeyPairSync,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from "node:crypto";
import { readFileSync } from "node:fs";

const oaep = (key) => ({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" });

const asked = {
  rsa_key: ({ bits }) =>
    generateKeyPairSync("rsa", {
      modulusLength: bits,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    }),
  envelope_open: ({ privateKey, envelope }) => {
    const part = (name) => Buffer.from(envelope[name], "base64url");
    const key = privateDecrypt(oaep(privateKey), part("ek"));
    const cipher = createDecipheriv("aes-256-gcm", key, part("iv"));
    cipher.setAuthTag(part("tag"));
    return Buffer.concat([cipher.update(part("ct")), cipher.final()]).toString("hex");
  },
  envelope_seal: ({ publicKey, content }) => {
    const [key, iv] = [randomBytes(32), randomBytes(12)];
    const cipher = createCipheriv("aes-256-gcm", key, iv);
    const ct = Buffer.concat([cipher.update(content, "hex"), cipher.final()]);
    const text = (bytes) => bytes.toString("base64url");
    return {
      alg: "HYBRID-RSA-AES-256",
      iv: text(iv),
      ct: text(ct),
      tag: text(cipher.getAuthTag()),
      ek: text(publicEncrypt(oaep(publicKey), key)),
    };
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
