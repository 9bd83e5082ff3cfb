//! The words other wallets are backed up by (BIP-39).

use bip39::Language;
use halfkey_core::ChainName;
use halfkey_mpc::ImportKey;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::PrivateKey;
use super::hd::Node;
use super::key_path::KeyPath;
use crate::{Error, Result};

/// A BIP-39 mnemonic of the English list: 12, 15, 18, 21 or 24 words whose checksum is good. Wiped
/// on drop.
pub struct Mnemonic(bip39::Mnemonic);

halfkey_core::redacted_debug!(Mnemonic);

impl Mnemonic {
    /// Reads words between any white space, in upper or lower case.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another number of words, a word that is not in the list, and
    /// a checksum that does not fit. It names the place of a word, never the word.
    pub fn parse(text: &str) -> Result<Self> {
        let mut words = Zeroizing::new(text.to_owned());
        words.make_ascii_lowercase();
        let found = bip39::Mnemonic::parse_in_normalized(Language::English, &words);
        found
            .map(Self)
            .map_err(|error| Error::InvalidArgument(told(error)))
    }

    /// BIP-39: PBKDF2 over the words and the passphrase.
    fn seed(&self, passphrase: &str) -> Zeroizing<[u8; 64]> {
        let passphrase = nfkd(passphrase);
        Zeroizing::new(self.0.to_seed_normalized(&passphrase))
    }
}

impl PrivateKey {
    /// The EVM key at `path` below the mnemonic's seed (BIP-39, BIP-32); `passphrase` is empty
    /// where the wallet had none. [`KeyPath::usual`] is where wallets keep their first account.
    ///
    /// The wallet's root is the key at the last hardened index of the path, of BIP-44 paths the
    /// account; what is below becomes the wallet's derivation path.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when more than 10 indices follow the last hardened one.
    pub fn evm_mnemonic(mnemonic: &Mnemonic, passphrase: &str, path: &KeyPath) -> Result<Self> {
        let (above, below) = path.split()?;
        let master = Node::master(ChainName::Evm, &*mnemonic.seed(passphrase))?;
        let root = master.descend(above)?;
        Self::checked(ChainName::Evm, root.into_key(), below)
    }

    /// The Solana key at `path` below the mnemonic's seed (BIP-39, SLIP-0010), as Phantom and most
    /// wallets have it; `passphrase` is empty where the wallet had none.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a path with an index that is not hardened.
    pub fn svm_mnemonic(mnemonic: &Mnemonic, passphrase: &str, path: &KeyPath) -> Result<Self> {
        let master = Node::master(ChainName::Svm, &*mnemonic.seed(passphrase))?;
        let key = master.descend(path.indices())?.into_key();
        Self::checked(ChainName::Svm, key, ChainName::Svm.default_path())
    }

    /// The Solana key that `solana-keygen new` makes of a mnemonic where no derivation path is
    /// given: the first half of the seed itself.
    ///
    /// # Errors
    /// None today.
    pub fn svm_mnemonic_without_path(mnemonic: &Mnemonic, passphrase: &str) -> Result<Self> {
        let seed = mnemonic.seed(passphrase);
        let half = seed
            .first_chunk()
            .ok_or(Error::Bug("64 bytes have a half"))?;
        let key = ImportKey::Ed25519Seed(*half);
        Self::checked(ChainName::Svm, key, ChainName::Svm.default_path())
    }
}

fn told(error: bip39::Error) -> String {
    match error {
        bip39::Error::BadWordCount(count) => {
            format!("a mnemonic has 12, 15, 18, 21 or 24 words, not {count}")
        }
        bip39::Error::UnknownWord(index) => format!(
            "word {} of the mnemonic is not in the English list of BIP-39, the only one supported",
            index.saturating_add(1)
        ),
        _ => "the checksum of the mnemonic is wrong: a word is another one, or the order is"
            .to_owned(),
    }
}

/// The form BIP-39 hashes. Room is made first: growing would leave copies behind.
fn nfkd(text: &str) -> Zeroizing<String> {
    let room = text.nfkd().map(char::len_utf8).sum();
    let mut normal = Zeroizing::new(String::with_capacity(room));
    normal.extend(text.nfkd());
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABANDON: &str = "abandon abandon abandon abandon abandon abandon abandon abandon \
                           abandon abandon abandon about";

    #[test]
    fn bip_39_vectors() {
        let lines = include_str!("vectors.txt").lines();
        let vectors = lines.filter_map(|line| line.strip_prefix("bip39 "));
        let mut count = 0;
        for (seed, words) in vectors.filter_map(|line| line.split_once(' ')) {
            let mnemonic = Mnemonic::parse(words).unwrap();
            assert_eq!(hex::encode(*mnemonic.seed("TREZOR")), seed, "{words}");
            count += 1;
        }
        assert_eq!(count, 5);
    }

    #[test]
    fn white_space_and_case_do_not_matter() {
        let one = Mnemonic::parse(ABANDON).unwrap();
        let text = format!(
            "\r\n  {} \t\n",
            ABANDON.to_uppercase().replace(' ', "\n\t ")
        );
        let other = Mnemonic::parse(&text).unwrap();
        assert_eq!(*one.seed(""), *other.seed(""));
    }

    #[test]
    fn a_passphrase_is_hashed_in_its_normal_form() {
        let mnemonic = Mnemonic::parse(ABANDON).unwrap();
        let (composed, apart) = ("caf\u{e9} \u{fb01}", "cafe\u{301} fi");
        assert_eq!(*mnemonic.seed(composed), *mnemonic.seed(apart));
        assert_ne!(*mnemonic.seed("a"), *mnemonic.seed("A"));
        assert_ne!(*mnemonic.seed("a"), *mnemonic.seed("a "));
    }

    /// Each fault is told by its kind and place; no word is repeated, whoever wrote it.
    #[test]
    fn what_is_no_mnemonic_is_refused_and_not_shown() {
        let french = "abaisser abandon abdiquer abeille abolir aborder aboutir aboyer abrasif \
                      abreuver abriter abroger";
        let japanese = "あいこくしん ".repeat(12);
        for (text, told) in [
            ("", "12, 15, 18, 21 or 24 words, not 0"),
            ("abandon about", "words, not 2"),
            (
                &ABANDON.replacen("abandon", "abandon abandon", 1),
                "words, not 13",
            ),
            (&ABANDON.replace("about", "aboutt"), "word 12"),
            (&ABANDON.replacen("abandon", "0bandon", 1), "word 1 "),
            (&ABANDON.replace("about", "abandon"), "checksum"),
            (french, "word 1 of the mnemonic is not in the English list"),
            (&japanese, "not in the English list"),
        ] {
            let error = Mnemonic::parse(text).unwrap_err();
            assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
            let said = error.to_string();
            assert!(said.contains(told), "{said}");
            for word in text.split_whitespace() {
                assert!(!said.contains(word), "{said}");
            }
        }
        let debug = format!("{:?}", Mnemonic::parse(ABANDON).unwrap());
        assert_eq!(debug, "Mnemonic(redacted)");
    }

    #[test]
    fn the_usual_paths_are_those_of_other_wallets() {
        let words = "test test test test test test test test test test test junk";
        let mnemonic = Mnemonic::parse(words).unwrap();
        let key = |path: &str| {
            let path = path.parse().unwrap();
            let key = PrivateKey::evm_mnemonic(&mnemonic, "", &path).unwrap();
            key.account_address().unwrap()
        };
        let usual = KeyPath::usual(ChainName::Evm).to_string();
        assert_eq!(usual, "m/44'/60'/0'/0/0");
        // What every development node prints.
        assert_eq!(key(&usual), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        assert_eq!(
            key("m/44'/60'/0'/0/1"),
            "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
        );
        assert_eq!(
            KeyPath::usual(ChainName::Svm).to_string(),
            "m/44'/501'/0'/0'"
        );
        let unhardened = "m/44'/501'/0".parse().unwrap();
        assert!(PrivateKey::svm_mnemonic(&mnemonic, "", &unhardened).is_err());
    }
}
