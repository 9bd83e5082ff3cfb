//! Who we are to Google.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use google_cloud_auth::build_errors::Error as BuildError;
use google_cloud_auth::credentials::{
    self, Credentials, anonymous, external_account, impersonated, mds, service_account,
};
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use crate::Error;
use crate::net::endpoint;

/// Where the credentials come from: `"default"`, `"metadata"`, `{ file = "/run/secrets/sa.json" }`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum GcpCredentials {
    /// Google's own order: the file in `GOOGLE_APPLICATION_CREDENTIALS`, the file of `gcloud auth
    /// application-default login`, the metadata server.
    #[default]
    Default,
    /// A credentials file: a service account's key (it must not be readable by others), or the
    /// configuration of workload identity federation or impersonation, which holds no secret.
    File(PathBuf),
    /// The metadata server of the machine or pod, and nothing else.
    Metadata,
    /// None: for a server on this machine, in tests.
    Anonymous,
}

impl GcpCredentials {
    /// The credentials for calls to `endpoint`. Must run inside the runtime that will make them.
    pub(super) fn build(&self, endpoint: &Url) -> Result<Credentials, Error> {
        let unusable = |_: BuildError| {
            Error::Config("Google credentials: not found, or not to be used as they are".to_owned())
        };
        match self {
            Self::Default => credentials::Builder::default().build().map_err(unusable),
            Self::Metadata => mds::Builder::default().build().map_err(unusable),
            Self::File(path) => from_file(path)?.map_err(unusable),
            Self::Anonymous if endpoint::is_loopback(endpoint) => {
                Ok(anonymous::Builder::new().build())
            }
            Self::Anonymous => Err(Error::Insecure(
                "anonymous calls to Google are for servers on this machine".to_owned(),
            )),
        }
    }
}

fn from_file(path: &Path) -> Result<Result<Credentials, BuildError>, Error> {
    let fail = |what: &dyn core::fmt::Display| {
        Error::Config(format!("credentials file {}: {what}", path.display()))
    };
    let mode = std::fs::metadata(path)
        .map_err(|error| fail(&error.kind()))?
        .permissions()
        .mode();
    let text = Zeroizing::new(std::fs::read(path).map_err(|error| fail(&error.kind()))?);
    let json: serde_json::Value =
        serde_json::from_slice(&text).map_err(|_| fail(&"it is not JSON"))?;
    match json.get("type").and_then(serde_json::Value::as_str) {
        Some("service_account") if mode & 0o077 != 0 => Err(fail(&format_args!(
            "a key open to others (mode {:o}); chmod 600 it",
            mode & 0o777
        ))),
        Some("service_account") => Ok(service_account::Builder::new(json).build()),
        Some("external_account") => {
            for member in ["token_url", "service_account_impersonation_url"] {
                if let Some(url) = json.get(member).and_then(serde_json::Value::as_str) {
                    endpoint::parse_http(url)?;
                }
            }
            Ok(external_account::Builder::new(json).build())
        }
        Some("impersonated_service_account") => Ok(impersonated::Builder::new(json).build()),
        _ => Err(fail(
            &"neither a service account's key nor workload identity federation nor impersonation",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Table {
        credentials: GcpCredentials,
    }

    fn parse(text: &str) -> Result<GcpCredentials, toml::de::Error> {
        toml::from_str::<Table>(text).map(|table| table.credentials)
    }

    #[test]
    fn they_are_named_in_the_configuration_and_never_stand_there() {
        assert_eq!(
            parse("credentials = \"default\"").unwrap(),
            GcpCredentials::Default
        );
        assert_eq!(
            parse("credentials = \"metadata\"").unwrap(),
            GcpCredentials::Metadata
        );
        assert_eq!(
            parse("credentials = { file = \"/a\" }").unwrap(),
            GcpCredentials::File("/a".into())
        );
        for text in [
            "credentials = \"key\"",
            "credentials = { token = \"x\" }",
            "credentials = 7",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn credentials_rejects_anonymous_calls_to_other_machines() {
        let google = Url::parse("https://cloudkms.googleapis.com").unwrap();
        let refused = GcpCredentials::Anonymous.build(&google);
        assert!(matches!(refused, Err(Error::Insecure(_))));
        let local = Url::parse("http://127.0.0.1:1").unwrap();
        assert!(GcpCredentials::Anonymous.build(&local).is_ok());
    }

    #[tokio::test]
    async fn credentials_rejects_files_it_cannot_use_without_quoting_them() {
        let local = Url::parse("http://127.0.0.1:1").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.json");
        for (mode, text) in [
            (
                0o644,
                "{\"type\":\"service_account\",\"private_key\":\"canary\"}",
            ),
            (
                0o600,
                "{\"type\":\"service_account\",\"private_key\":\"canary\"}",
            ),
            (0o600, "{\"type\":\"canary\"}"),
            (0o600, "canary"),
            (0o600, ""),
        ] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = GcpCredentials::File(path.clone())
                .build(&local)
                .unwrap_err();
            assert!(matches!(error, Error::Config(_)), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
        let absent = GcpCredentials::File("/nonexistent/c.json".into()).build(&local);
        assert!(matches!(absent, Err(Error::Config(_))));
    }
}
