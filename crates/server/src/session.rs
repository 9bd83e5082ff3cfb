//! Session tokens: short-lived JWTs, HS256 under one key of this deployment, nothing else.

use std::time::Duration;

use halfkey_core::{EnvironmentId, SecretBytes, SecretString, UnixMillis};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::ids::{TokenId, random_id};

const ISSUER: &str = "halfkey";
/// More than any token of ours; what is longer is not looked at.
const MAX_LEN: usize = 2048;
/// Clocks of several nodes may differ by this much.
const LEEWAY_SECS: i64 = 5;

/// Every claim is required; any other claim, a doubled one or another type is refused.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    /// The environment.
    aud: String,
    /// The API token's id.
    sub: String,
    /// `<token id>.<random>`.
    jti: String,
    iat: i64,
    exp: i64,
}

/// Why a session token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not one of ours.
    Invalid,
    /// One of ours, from too long ago.
    Expired,
}

/// What a valid session token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) environment: EnvironmentId,
    pub(crate) token: TokenId,
}

/// What tells one session token of an API token from another. Nothing in it is secret: what makes
/// a token of it is the deployment's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    issued_at_secs: i64,
    nonce: String,
}

impl Stamp {
    /// A new one.
    pub(crate) fn new(now: UnixMillis) -> Self {
        Self {
            issued_at_secs: now.as_secs(),
            nonce: hex::encode(random_id()),
        }
    }
}

/// Makes and checks session tokens.
pub(crate) struct Sessions {
    encoding: EncodingKey,
    decoding: DecodingKey,
    lifetime: Duration,
    /// The one header our tokens have, encoded.
    header: String,
}

halfkey_core::redacted_debug!(Sessions);

impl Sessions {
    pub(crate) fn new(key: &SecretBytes, lifetime: Duration) -> Self {
        Self {
            encoding: EncodingKey::from_secret(key.expose()),
            decoding: DecodingKey::from_secret(key.expose()),
            lifetime,
            header: encoded_header(),
        }
    }

    /// The token for `session` with this stamp: the same one every time.
    pub(crate) fn issue(
        &self,
        session: &Session,
        stamp: &Stamp,
    ) -> Result<SecretString, jsonwebtoken::errors::Error> {
        let issued_at = stamp.issued_at_secs;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: session.environment.to_string(),
            sub: session.token.to_string(),
            jti: format!("{}.{}", session.token, stamp.nonce),
            iat: issued_at,
            exp: issued_at.saturating_add(self.lifetime_secs()),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map(SecretString::new)
    }

    fn lifetime_secs(&self) -> i64 {
        i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX)
    }

    /// Sessions from before this are over by `now`.
    pub(crate) fn over_before(&self, now: UnixMillis) -> UnixMillis {
        // Issued in second `s`, a token is over from second `s` + lifetime on.
        let last_over = now.as_secs().saturating_sub(self.lifetime_secs());
        UnixMillis(last_over.saturating_add(1).saturating_mul(1000))
    }

    /// Checks a token completely: header, signature, every claim, time.
    pub(crate) fn verify(&self, token: &str, now: UnixMillis) -> Result<Session, Refusal> {
        // Our own header, byte for byte: no other algorithm, `kid`, `crit` or `typ` gets further.
        let header = token.split('.').next();
        if token.len() > MAX_LEN || header != Some(self.header.as_str()) {
            return Err(Refusal::Invalid);
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        // Time comes from our clock and the audience is the caller's to compare: both below.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation)
            .map_err(|_| Refusal::Invalid)?
            .claims;
        let subject = claims
            .sub
            .parse::<TokenId>()
            .map_err(|_| Refusal::Invalid)?;
        let lifetime = claims.exp.saturating_sub(claims.iat);
        let longest = self.lifetime_secs();
        let (id, nonce) = claims.jti.split_once('.').ok_or(Refusal::Invalid)?;
        if id != claims.sub
            || nonce.len() != 32
            || !(0..=longest).contains(&lifetime)
            || claims.iat > now.as_secs().saturating_add(LEEWAY_SECS)
        {
            return Err(Refusal::Invalid);
        }
        if claims.exp <= now.as_secs() {
            return Err(Refusal::Expired);
        }
        let environment = claims.aud.parse().map_err(|_| Refusal::Invalid)?;
        Ok(Session {
            environment,
            token: subject,
        })
    }
}

fn encoded_header() -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let header = Header::new(Algorithm::HS256);
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(key: u8) -> Sessions {
        Sessions::new(&SecretBytes::new(vec![key; 32]), Duration::from_mins(10))
    }

    fn session() -> Session {
        Session {
            environment: "env".parse().unwrap(),
            token: TokenId::from_bytes([7; 16]),
        }
    }

    #[test]
    fn verify_takes_its_own_until_they_expire() {
        let sessions = sessions(1);
        let now = UnixMillis(1_700_000_000_000);
        let token = sessions.issue(&session(), &Stamp::new(now)).unwrap();
        let verify = |at: i64| sessions.verify(token.expose(), UnixMillis(at));
        assert_eq!(verify(now.0), Ok(session()));
        assert_eq!(verify(now.0 + 599_999), Ok(session()));
        assert_eq!(verify(now.0 + 600_000), Err(Refusal::Expired));
        assert_eq!(verify(now.0 - 6_000), Err(Refusal::Invalid));
    }

    #[test]
    fn verify_rejects_another_deployments() {
        let now = UnixMillis(1_700_000_000_000);
        let token = sessions(1).issue(&session(), &Stamp::new(now)).unwrap();
        assert_eq!(
            sessions(2).verify(token.expose(), now),
            Err(Refusal::Invalid)
        );
    }

    /// A token over any header and claims, properly authenticated with the deployment's own key.
    fn authentic(header: &str, claims: &str) -> String {
        use aws_lc_rs::hmac;
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;

        let signed = format!("{}.{}", B64.encode(header), B64.encode(claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
        let tag = B64.encode(hmac::sign(&key, signed.as_bytes()));
        format!("{signed}.{tag}")
    }

    const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;
    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn claims() -> serde_json::Value {
        let id = "07".repeat(16);
        serde_json::json!({
            "iss": "halfkey", "aud": "env", "sub": id, "jti": format!("{id}.{}", "ab".repeat(16)),
            "iat": 1_700_000_000, "exp": 1_700_000_600,
        })
    }

    #[test]
    fn verify_rejects_authentic_tokens_that_are_not_ours() {
        let sessions = sessions(1);
        let verify = |header: &str, claims: &str| sessions.verify(&authentic(header, claims), NOW);
        assert_eq!(verify(HEADER, &claims().to_string()), Ok(session()));
        for header in [
            r#"{"alg":"HS256","typ":"JWT"}"#,
            r#"{"typ":"JWT","alg":"HS256","kid":"x"}"#,
            r#"{"typ":"JWT","alg":"HS256","crit":["x"]}"#,
            r#"{"typ":"at+jwt","alg":"HS256"}"#,
            r#"{"typ":"JWT","alg":"HS384"}"#,
            r#"{"typ":"JWT","alg":"none"}"#,
        ] {
            assert_eq!(
                verify(header, &claims().to_string()),
                Err(Refusal::Invalid),
                "{header}"
            );
        }
        for (name, value) in [
            ("exp", serde_json::json!("9999999999")),
            ("exp", serde_json::json!(1_700_000_600.5)),
            ("exp", serde_json::json!(1_700_000_601)),
            ("exp", serde_json::json!(1_699_999_999)),
            ("exp", serde_json::json!(i64::MAX)),
            ("iat", serde_json::json!(1_700_000_006)),
            ("iat", serde_json::json!("1700000000")),
            ("aud", serde_json::json!(["env"])),
            ("aud", serde_json::json!("")),
            ("iss", serde_json::json!("someone")),
            ("iss", serde_json::json!(["halfkey"])),
            ("sub", serde_json::json!("08".repeat(16))),
            ("sub", serde_json::json!(7)),
            ("jti", serde_json::json!("07".repeat(16))),
            (
                "jti",
                serde_json::json!(format!("{}.short", "07".repeat(16))),
            ),
            ("nbf", serde_json::json!(1)),
            ("admin", serde_json::json!(true)),
        ] {
            let mut claims = claims();
            claims[name] = value;
            let claims = claims.to_string();
            assert_eq!(verify(HEADER, &claims), Err(Refusal::Invalid), "{claims}");
        }
        for name in ["iss", "aud", "sub", "jti", "iat", "exp"] {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(name);
            assert_eq!(
                verify(HEADER, &claims.to_string()),
                Err(Refusal::Invalid),
                "no {name}"
            );
        }
        let doubled = claims()
            .to_string()
            .replacen('{', r#"{"exp":1700000599,"#, 1);
        assert_eq!(verify(HEADER, &doubled), Err(Refusal::Invalid));
        assert_eq!(verify(HEADER, "[]"), Err(Refusal::Invalid));
    }
}
