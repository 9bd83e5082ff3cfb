//! The KEK that wraps the provider's keys: what it is, a new version, and moving every share to it.
//! For whoever owns the data directory; the provider may be serving meanwhile.

use std::path::Path;
use std::sync::Arc;

use halfkey_core::random::os_rng;
use halfkey_core::{Clock, EnvironmentId, RequestId, SecretString, crash_point};
use halfkey_vault::rewrap::transfer_record;
use halfkey_vault::{BindCtx, KekInfo, SealedRecord};
use serde_json::json;

use crate::Error;
use crate::db::shares::{self, After, BoundShare};
use crate::db::{BootKind, Db, Entry, environments};
use crate::environment_keys::{EnvironmentKeys, OpenKeys, OwnSecret};
use crate::provider_dir::ProviderDir;

/// How many shares are read at a time.
const PAGE: u32 = 32;

/// Which provider, and how its keys are opened.
#[derive(Debug, Clone)]
pub struct KeysOptions {
    /// The environment; `None` where there is only one.
    pub environment: Option<EnvironmentId>,
    /// Opens the keyring, if it has a passphrase.
    pub passphrase: Option<SecretString>,
    /// Stamps what is done.
    pub clock: Arc<dyn Clock>,
}

/// What a rewrap did. What it did not move is as it was, and the next run begins with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysReport {
    /// The environment.
    pub environment: EnvironmentId,
    /// The KEK everything is to be under.
    pub kek_uri: String,
    /// Its newest version.
    pub kek_version: String,
    /// Moved now.
    pub moved: u64,
    /// There already.
    pub already: u64,
    /// Not moved, each with the reason.
    pub failed: Vec<(String, String)>,
}

/// What is known of the KEK that new keys are wrapped with.
///
/// # Errors
/// [`Error::Vault`] when the KEK does not answer or is another environment's, [`Error::Database`].
pub async fn info(data_dir: &Path, options: &KeysOptions) -> Result<KekInfo, Error> {
    let open = Open::new(data_dir, options).await?;
    let info = open.keys.kek().manage.info().await;
    open.db.close().await;
    Ok(info?)
}

/// Makes a new version of the KEK, which new keys use from now on; the older ones go on unwrapping.
/// Returns the version.
///
/// # Errors
/// As [`info`]; [`Error::Vault`] when the KEK may not be rotated from here.
pub async fn rotate(data_dir: &Path, options: &KeysOptions) -> Result<String, Error> {
    let open = Open::new(data_dir, options).await?;
    let rotated = open.rotate().await;
    open.db.close().await;
    rotated
}

/// Moves every share, of every generation, and the environment's own secrets to the newest version
/// of the KEK that `storage.toml` names, also from the keyring of before. Each is proven to unwrap
/// before it takes the place of the old one, and stands in the activity log. A run that ends half
/// way is continued by the next one.
///
/// # Errors
/// As [`info`]; [`Error::Caller`] when the provider that runs does not know this KEK yet.
pub async fn rewrap(data_dir: &Path, options: &KeysOptions) -> Result<KeysReport, Error> {
    let open = Open::new(data_dir, options).await?;
    let report = open.rewrap(&ProviderDir::new(data_dir)).await;
    open.db.close().await;
    report
}

struct Open {
    db: Db,
    environment: EnvironmentId,
    keys: EnvironmentKeys,
    request: RequestId,
}

impl Open {
    async fn new(data_dir: &Path, options: &KeysOptions) -> Result<Self, Error> {
        let dir = ProviderDir::new(data_dir);
        let clock = &options.clock;
        let db = Db::open(&dir.database(), Arc::clone(clock), BootKind::Admin, false).await?;
        match Self::with_keys(&db, &dir, options).await {
            Ok((environment, keys)) => Ok(Self {
                db,
                environment,
                keys,
                request: RequestId::generate(&mut os_rng()),
            }),
            Err(error) => {
                db.close().await;
                Err(error)
            }
        }
    }

    async fn with_keys(
        db: &Db,
        dir: &ProviderDir,
        options: &KeysOptions,
    ) -> Result<(EnvironmentId, EnvironmentKeys), Error> {
        let mut conn = db.read().acquire().await?;
        let known = environments::all(&mut conn).await?;
        drop(conn);
        let mut known = known.into_iter().map(|row| row.environment);
        let environment = match &options.environment {
            Some(wanted) => known.find(|one| one == wanted),
            None => match (known.next(), known.next()) {
                (only, None) => only,
                _ => return Err(Error::Caller("there are several environments; name one")),
            },
        };
        let environment = environment.ok_or(Error::NotFound("environment"))?;
        let keys = EnvironmentKeys::open(OpenKeys {
            dir: dir.environment(&environment),
            environment: &environment,
            passphrase: options.passphrase.as_ref(),
            clock: Arc::clone(&options.clock),
            may_create: false,
        })
        .await?;
        Ok((environment, keys))
    }

    async fn rotate(&self) -> Result<String, Error> {
        let kek = self.keys.kek();
        let detail = json!({ "kek": kek.rewrap.kek_uri() });
        let entry = Entry::new(&self.environment, "kek.rotate", "operator")
            .request(self.request)
            .detail(detail);
        self.db.record(&entry).await?;
        Ok(kek.manage.rotate().await?)
    }

    async fn rewrap(&self, dir: &ProviderDir) -> Result<KeysReport, Error> {
        if dir.is_being_served()? && !self.keys.is_announced()? {
            return Err(Error::Caller(
                "the provider that runs was started before this KEK was configured and could not \
                 open what is moved; start it again first",
            ));
        }
        let kek = self.keys.kek();
        let newest = kek.manage.info().await?;
        let newest = newest
            .newest()
            .ok_or(Error::NotFound("version of the KEK"))?;
        let mut report = KeysReport {
            environment: self.environment.clone(),
            kek_uri: kek.rewrap.kek_uri().to_owned(),
            kek_version: newest.version.clone(),
            moved: 0,
            already: 0,
            failed: Vec::new(),
        };
        for secret in OwnSecret::ALL {
            if let Some((record, ctx)) = self.keys.sealed(secret)? {
                let name = format!("{secret:?} key").to_lowercase();
                let done = self.move_secret(secret, &record, &ctx, &report).await;
                report.count(name, done);
            }
        }
        self.move_shares(&mut report).await?;
        Ok(report)
    }

    async fn move_shares(&self, report: &mut KeysReport) -> Result<(), Error> {
        let mut after: After = None;
        loop {
            let mut conn = self.db.read().acquire().await?;
            let page = shares::page(&mut conn, &self.environment, after, PAGE).await?;
            drop(conn);
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some((last.ctx.wallet, last.ctx.attempt));
            for share in &page {
                let done = self.move_share(share, report).await;
                report.count(share.ctx.to_string(), done);
            }
        }
    }

    async fn move_share(&self, share: &BoundShare, report: &KeysReport) -> Result<bool, Error> {
        let ctx = &share.ctx;
        let record = SealedRecord::from_bytes(&share.sealed).map_err(|why| {
            let name = ctx.to_string();
            halfkey_vault::Error::Corrupt { name, why }
        })?;
        let Some(moved) = self.moved(&record, ctx, report).await? else {
            return Ok(false);
        };
        let detail = json!({
            "generation": ctx.generation.0,
            "kek": report.kek_uri,
            "version": report.kek_version,
        });
        let entry = Entry::new(&self.environment, "share.rewrap", "operator")
            .wallet(ctx.wallet)
            .attempt(ctx.attempt)
            .request(self.request)
            .detail(detail);
        let mut tx = self.db.begin().await?;
        // Nothing but another rewrap changes a sealed share, and then it is there already; one that
        // was shredded is gone.
        let is_there = shares::rewrap(&mut tx, share, moved.as_bytes()).await?;
        if is_there {
            tx.record(&entry).await?;
            crash_point("keys.before-commit");
            tx.commit().await?;
            crash_point("keys.after-commit");
        }
        Ok(is_there)
    }

    async fn move_secret(
        &self,
        secret: OwnSecret,
        record: &SealedRecord,
        ctx: &BindCtx,
        report: &KeysReport,
    ) -> Result<bool, Error> {
        let Some(moved) = self.moved(record, ctx, report).await? else {
            return Ok(false);
        };
        let detail = json!({ "kek": report.kek_uri, "version": report.kek_version });
        let entry = Entry::new(&self.environment, "secret.rewrap", "operator")
            .request(self.request)
            .detail(detail);
        self.db.record(&entry).await?;
        self.keys.replace(secret, &moved)?;
        Ok(true)
    }

    /// The record under the newest version alone; `None` when it is that already.
    async fn moved(
        &self,
        record: &SealedRecord,
        ctx: &BindCtx,
        report: &KeysReport,
    ) -> Result<Option<SealedRecord>, Error> {
        let is_there = record
            .wraps()
            .iter()
            .all(|wrap| wrap.kek_uri == report.kek_uri && wrap.kek_version == report.kek_version);
        if is_there {
            return Ok(None);
        }
        let kek = self.keys.kek();
        let from = self.keys.unwrap();
        let moved = transfer_record(record, ctx, &**from, &*kek.wrap, &*kek.unwrap).await?;
        Ok(Some(moved))
    }
}

impl KeysReport {
    /// Whether nothing is left under anything else.
    pub const fn is_clean(&self) -> bool {
        self.failed.is_empty()
    }

    fn count(&mut self, name: String, done: Result<bool, Error>) {
        match done {
            Ok(true) => self.moved = self.moved.saturating_add(1),
            Ok(false) => self.already = self.already.saturating_add(1),
            Err(error) => self.failed.push((name, error.to_string())),
        }
    }
}
