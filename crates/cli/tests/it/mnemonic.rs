//! `wallet import --mnemonic`: from a file or standard input, and what is refused.

use std::io::Write as _;
use std::process::{Output, Stdio};

use crate::life::ops_token;
use crate::support::{Home, Provider, must_succeed};

const INPUT: i32 = 3;
/// Of BIP-39's vectors: public, and worthless.
const WORDS: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";
/// By ethers, without a passphrase.
const ADDRESS: &str = "0x58A57ed9d8d624cBD12e2C467D34787555bB1b25";

struct Scene {
    home: Home,
    provider: Provider,
    token: String,
}

impl Scene {
    fn new() -> Self {
        let home = Home::initialised();
        let provider = home.serve();
        let token = ops_token(&home);
        Self {
            home,
            provider,
            token,
        }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let file = self.home.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// Runs an import with `input` on standard input.
    fn import(&self, args: &[&str], input: &str) -> Output {
        let args = [&["wallet", "import", "--token-file", &self.token], args].concat();
        let mut command = self.home.against(&self.provider, &args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that refuses its arguments does not read.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        child.wait_with_output().unwrap()
    }

    /// It is refused with these words, shows no word of the mnemonic, and makes nothing.
    fn refuses(&self, args: &[&str], input: &str, told: &str) {
        let output = self.import(args, input);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(INPUT), "{said}");
        assert!(said.contains(told), "{said}");
        for word in WORDS.split(' ') {
            assert!(!said.contains(word), "{said}");
        }
        let listed = self.home.json(&self.provider, &["wallet", "list"]);
        assert_eq!(listed["wallets"].as_array().unwrap().len(), 0, "{listed}");
    }
}

#[test]
fn a_mnemonic_is_imported_from_a_file_and_from_standard_input() {
    let scene = Scene::new();
    let words = scene.file("words", &format!("{WORDS}\n"));
    let evm = [
        "--chain",
        "EVM",
        "--mnemonic",
        "--key-file",
        &words,
        "--expect",
        ADDRESS,
    ];
    let output = scene.import(&evm, "");
    must_succeed(&output);
    let made: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(made["account_address"], ADDRESS);
    assert_eq!(made["custody_origin"][0], "imported");
    let address = made["account_address"].as_str().unwrap();
    scene
        .home
        .json(&scene.provider, &["wallet", "sign-message", address, "gm"]);

    let passphrase = scene.file("passphrase", "TREZOR\nanother line\n");
    let svm = [
        "--chain",
        "SVM",
        "--mnemonic",
        "--key-file",
        "-",
        "--mnemonic-passphrase-file",
    ];
    let output = scene.import(&[&svm[..], &[&passphrase]].concat(), WORDS);
    must_succeed(&output);
    let made: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let with = made["account_address"].as_str().unwrap().to_owned();
    let output = scene.import(&svm[..5], WORDS);
    must_succeed(&output);
    let made: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_ne!(made["account_address"], with.as_str());
    let none = [&svm[..5], &["--path", "none"]].concat();
    let output = scene.import(&none, WORDS);
    must_succeed(&output);
    let none: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_ne!(none["account_address"], made["account_address"]);
}

#[test]
fn a_faulty_mnemonic_or_the_wrong_place_is_refused_before_anything_is_made() {
    let scene = Scene::new();
    let evm = ["--chain", "EVM", "--mnemonic", "--key-file", "-"];
    let svm = ["--chain", "SVM", "--mnemonic", "--key-file", "-"];
    scene.refuses(&evm, "", "not 0");
    scene.refuses(&evm, &WORDS.replace("yellow", "legal"), "checksum");
    scene.refuses(&evm, &WORDS.replace("winner", "winnner"), "word 2 of");
    scene.refuses(&evm, WORDS.split_once(' ').unwrap().1, "not 11");
    scene.refuses(&evm, &WORDS.repeat(60), "too long");
    let other = [
        &evm[..],
        &["--expect", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"],
    ]
    .concat();
    scene.refuses(&other, WORDS, ADDRESS);
    let unhardened = [&svm[..], &["--path", "m/44'/501'/0"]].concat();
    scene.refuses(&unhardened, WORDS, "hardened");
    let none = [&evm[..], &["--path", "none"]].concat();
    scene.refuses(&none, WORDS, "Solana");
    let both = [&evm[..], &["--mnemonic-passphrase-file", "-"]].concat();
    scene.refuses(&both, WORDS, "not both");
    let empty = scene.file("empty", "\n");
    let empty = [&evm[..], &["--mnemonic-passphrase-file", &empty]].concat();
    scene.refuses(&empty, WORDS, "empty");
    let single = ["--chain", "EVM", "--key-file", "-", "--path", "m/0/0"];
    scene.refuses(&single, &"1".repeat(64), "no path");
    let xprv = ["--chain", "SVM", "--key-file", "-", "--xprv"];
    scene.refuses(&xprv, WORDS, "EVM");
    let hardened = [
        "--chain",
        "EVM",
        "--key-file",
        "-",
        "--xprv",
        "--path",
        "m/0'",
    ];
    scene.refuses(&hardened, WORDS, "derivation path");
}
