// Opens age files with typage, which shares no code with Halfkey. Questions and answers as in
// judge.py. The first argument is the tools directory.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { Decrypter, armor } = await import(
  pathToFileURL(`${process.argv[2]}/node_modules/age-encryption/dist/index.js`).href
);

const asked = {
  age_file: async ({ identity, file }) => {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    return decrypter.decrypt(armor.decode(file), "text");
  },
};

const answer = async (question) => {
  try {
    return { ok: await asked[question.ask](question) };
  } catch (error) {
    return { error: `${error}` };
  }
};

const answers = await Promise.all(JSON.parse(readFileSync(0)).map(answer));
process.stdout.write(JSON.stringify(answers));
