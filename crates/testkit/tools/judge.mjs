// Checks signatures with ethers, which shares no code with Halfkey. Questions and answers as in
// judge.py. The first argument is the directory of the node packages.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { ethers } = createRequire(`${process.argv[2]}/`)("ethers");

const asked = {
  evm_message: ({ message, signature }) =>
    ethers.verifyMessage(ethers.getBytes(message), signature),
  evm_typed_data: ({ typedData, signature }) => {
    const { EIP712Domain, ...types } = typedData.types;
    return ethers.verifyTypedData(typedData.domain, types, typedData.message, signature);
  },
  evm_transaction: ({ transaction }) => ethers.Transaction.from(transaction).from,
  evm_authorization: ({ chainId, address, nonce, signature }) =>
    ethers.verifyAuthorization({ chainId, address, nonce }, signature),
  evm_mnemonic: ({ words, passphrase, path }) =>
    ethers.HDNodeWallet.fromPhrase(words, passphrase, path).address,
  evm_key: ({ key }) => new ethers.Wallet(key).address,
  evm_xprv: ({ key, path }) =>
    ethers.HDNodeWallet.fromExtendedKey(key).derivePath(path).address,
};

const answer = (question) => {
  try {
    return { ok: asked[question.ask](question) };
  } catch (error) {
    return { error: `${error}` };
  }
};

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0)).map(answer)));
