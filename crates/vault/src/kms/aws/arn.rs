//! Names of keys: ids, ARNs and aliases.

use core::fmt;

use crate::Error;

/// A key's id: a UUID, or `mrk-` and 32 hex digits for a multi-region key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyId(String);

impl KeyId {
    /// Exactly as KMS writes it, so that no two texts name one key.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_hex = |part: &str, len: usize| {
            part.len() == len
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let parts: Vec<_> = text.split('-').collect();
        let is_id = match parts.as_slice() {
            ["mrk", rest] => is_hex(rest, 32),
            parts @ [_, _, _, _, _] => parts
                .iter()
                .zip([8, 4, 4, 4, 12])
                .all(|(part, len)| is_hex(part, len)),
            _ => false,
        };
        is_id.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the ARNs of one account in one region begin with: `arn:aws:kms:{region}:{account}:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account(String);

impl Account {
    /// A key's ARN in its two parts.
    pub(super) fn split(key_arn: &str) -> Option<(Self, KeyId)> {
        let (prefix, id) = key_arn.split_once("key/")?;
        let is_prefix = prefix.starts_with("arn:") && prefix.matches(':').count() == 5;
        let plain = prefix.bytes().all(|byte| byte.is_ascii_graphic()) && prefix.len() <= 128;
        let id = KeyId::parse(id)?;
        (is_prefix && plain && prefix.ends_with(':')).then(|| (Self(prefix.to_owned()), id))
    }

    pub(super) fn key_arn(&self, id: &KeyId) -> String {
        format!("{}key/{id}", self.0)
    }

    /// The ARN of an alias given as name or ARN.
    pub(super) fn alias_arn(&self, alias: &str) -> String {
        if alias.starts_with("arn:") {
            return alias.to_owned();
        }
        format!("{}{alias}", self.0)
    }
}

/// Whether a configured key is an alias.
pub(super) fn is_alias(key_id: &str) -> bool {
    key_id.starts_with("alias/") || key_id.contains(":alias/")
}

/// Whether a configured key can be one of ours at all.
pub(super) fn check_key_id(key_id: &str) -> Result<(), Error> {
    let plain = key_id.bytes().all(|byte| byte.is_ascii_graphic());
    if key_id.is_empty() || key_id.len() > 256 || !plain {
        return Err(Error::Config(
            "key_id must be a KMS key's id or ARN, or an alias".to_owned(),
        ));
    }
    if key_id.starts_with("alias/aws/") || key_id.contains(":alias/aws/") {
        return Err(Error::Config(
            "key_id is a key that AWS manages: make one of your own".to_owned(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn key_id_rejects_every_other_spelling() {
        assert!(KeyId::parse(ID).is_some());
        assert!(KeyId::parse("mrk-1234abcd12ab34cd56ef1234567890ab").is_some());
        let upper = ID.to_uppercase();
        for text in [
            "",
            "0",
            "alias/x",
            &upper,
            "234abcd-12ab-34cd-56ef-1234567890ab",
            "mrk-1234",
            "1234abcd12ab34cd56ef1234567890ab",
            "1234abcd-12ab-34cd-56ef-1234567890ab-",
        ] {
            assert!(KeyId::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_arn_is_taken_apart_and_put_together() {
        let arn = format!("arn:aws:kms:eu-central-1:111122223333:key/{ID}");
        let (account, id) = Account::split(&arn).unwrap();
        assert_eq!(id.to_string(), ID);
        assert_eq!(account.key_arn(&id), arn);
        let alias = "arn:aws:kms:eu-central-1:111122223333:alias/halfkey";
        assert_eq!(account.alias_arn("alias/halfkey"), alias);
        assert_eq!(account.alias_arn(alias), alias);
        for text in [
            "",
            ID,
            alias,
            "arn:aws:kms:x:key/",
            &arn.replacen("arn", "urn", 1),
        ] {
            assert!(Account::split(text).is_none(), "{text}");
        }
    }

    #[test]
    fn key_id_rejects_keys_that_aws_manages() {
        for text in [
            "",
            "alias/aws/secretsmanager",
            "arn:aws:kms:r:1:alias/aws/s3",
            "a b",
        ] {
            assert!(
                matches!(check_key_id(text), Err(Error::Config(_))),
                "{text}"
            );
        }
        assert!(check_key_id("alias/halfkey").is_ok() && is_alias("alias/halfkey"));
        assert!(check_key_id(ID).is_ok() && !is_alias(ID));
    }
}
