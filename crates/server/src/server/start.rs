use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use halfkey_core::EnvironmentId;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::{RunningServer, metrics_listener};
use crate::app::{App, Environment, TASKS};
use crate::audit_sink::DbSink;
use crate::boot_counter::BootCounter;
use crate::ceremony::pending::Pending;
use crate::ceremony::pool::Pool;
use crate::ceremony::reaper;
use crate::ceremony::table::Table;
use crate::ceremony::wallet_permits::WalletPermits;
use crate::config::Tls;
use crate::db::{BootKind, Db, environments};
use crate::environment_keys::{EnvironmentKeys, OpenKeys, OwnSecret, identity_from};
use crate::metrics::Metrics;
use crate::net::{dev_tls, listener, tls};
use crate::provider_dir::ProviderDir;
use crate::routes;
use crate::session::Sessions;
use crate::{Config, Error, sweep, webhooks};

pub(super) async fn start(config: Config) -> Result<RunningServer, Error> {
    if matches!(config.tls, Tls::None) && !config.listen.ip().is_loopback() {
        return Err(Error::PlainHttpNotLoopback(config.listen));
    }
    if let Some(addr) = config
        .metrics_listen
        .filter(|addr| !addr.ip().is_loopback())
    {
        return Err(Error::MetricsNotLoopback(addr));
    }
    let dir = ProviderDir::new(&config.data_dir);
    let db = Db::open(
        &dir.database(),
        Arc::clone(&config.clock),
        BootKind::Serve,
        false,
    )
    .await?;
    let lock = lock(&dir, &config)?;
    let (tls, ca_file) = tls_of(&config, &dir)?;
    let (environments, sessions, oldest) = load_environments(&config, &dir, &db).await?;
    let (listener, addr) = bind(config.listen).await?;
    let metrics = match config.metrics_listen {
        Some(addr) => Some(bind(addr).await?),
        None => None,
    };
    // Counted last: a start that fails for another reason is no boot.
    let counter = BootCounter::boot(&dir, &db, config.accept_restore).await?;
    let app = App {
        db,
        environments,
        sessions,
        counter,
        clock: config.clock,
        table: Table::new(&config.limits),
        permits: WalletPermits::new(config.limits.open_slots, config.limits.slot_wait),
        telling: tokio::sync::Mutex::default(),
        pending: Arc::new(Pending::new(dir)),
        pool: Pool::new(&config.limits),
        metrics: Metrics::default(),
        requests: Arc::new(Semaphore::new(config.limits.requests)),
        draining: AtomicBool::new(false),
        tasks: Arc::new(Semaphore::new(
            usize::try_from(TASKS).unwrap_or(usize::MAX >> 3),
        )),
        limits: config.limits,
    };
    let uses_tls = tls.is_some();
    let app = Arc::new(app);
    sweep::run(&app).await;
    let tasks = Tasks::spawn(app, listener, tls, metrics);
    tracing::info!(%addr, environment = %oldest, "serving");
    Ok(RunningServer {
        app: tasks.app,
        addr,
        metrics_addr: tasks.metrics_addr,
        ca_file,
        tls: uses_tls,
        environment: oldest,
        stop: tasks.stop,
        tasks: tasks.handles,
        lock,
    })
}

/// What runs until it is stopped.
struct Tasks {
    app: Arc<App>,
    handles: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    metrics_addr: Option<SocketAddr>,
}

impl Tasks {
    fn spawn(
        app: Arc<App>,
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        metrics: Option<(TcpListener, SocketAddr)>,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let router = routes::router(&app);
        let serving = listener::run(Arc::clone(&app), listener, tls, router, stopped.clone());
        let reaping = reaper::run(Arc::clone(&app), stopped.clone());
        let telling = webhooks::run(Arc::clone(&app), stopped.clone());
        let mut handles = vec![
            tokio::spawn(serving),
            tokio::spawn(reaping),
            tokio::spawn(telling),
        ];
        let metrics_addr = metrics.map(|(listener, addr)| {
            let router = metrics_listener::router(Arc::clone(&app));
            let run = listener::run(Arc::clone(&app), listener, None, router, stopped);
            handles.push(tokio::spawn(run));
            addr
        });
        Self {
            app,
            handles,
            stop,
            metrics_addr,
        }
    }
}

/// One process serves a directory: slots of every other boot may then be counted as lost.
fn lock(dir: &ProviderDir, config: &Config) -> Result<File, Error> {
    let path = dir.serve_lock();
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(Error::io(format!("open {}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::AlreadyServing(config.data_dir.clone())),
        Err(TryLockError::Error(error)) => {
            Err(Error::io(format!("lock {}", path.display()))(error))
        }
    }
}

type TlsParts = (Option<Arc<ServerConfig>>, Option<PathBuf>);

fn tls_of(config: &Config, dir: &ProviderDir) -> Result<TlsParts, Error> {
    match &config.tls {
        Tls::None => Ok((None, None)),
        Tls::Files { cert, key } => Ok((Some(tls::from_files(cert, key)?), None)),
        Tls::Dev => {
            let now = config.clock.now();
            let dev = dev_tls::load_or_create(&dir.dev_tls(), config.listen, now)?;
            Ok((Some(dev.config), Some(dev.ca_file)))
        }
    }
}

type Environments = HashMap<EnvironmentId, Arc<Environment>>;

/// Opens every environment's KEK and identity key, and the key of session tokens.
async fn load_environments(
    config: &Config,
    dir: &ProviderDir,
    db: &Db,
) -> Result<(Environments, Sessions, EnvironmentId), Error> {
    let mut conn = db.read().acquire().await?;
    let rows = environments::all(&mut conn).await?;
    drop(conn);
    let mut environments = HashMap::new();
    let mut first = None;
    for row in rows {
        let home = dir.environment(&row.environment);
        let keys = EnvironmentKeys::open(OpenKeys {
            dir: home,
            environment: &row.environment,
            passphrase: config.passphrase.as_ref(),
            clock: Arc::clone(&config.clock),
            may_create: false,
        })
        .await?;
        let secret = keys
            .load(OwnSecret::Identity, Arc::new(DbSink::plain(db.clone())))
            .await?
            .ok_or(Error::NotFound("identity key"))?;
        let identity = identity_from(&secret)?;
        if identity.verifying_key().to_bytes() != row.identity_key {
            return Err(Error::Caller(
                "the identity key is not the one this database knows",
            ));
        }
        keys.announce()?;
        let id = row.environment.clone();
        let environment = Arc::new(Environment {
            id: id.clone(),
            identity,
            keys,
            allow_blind: config.allow_blind.contains(&id),
            allow_loopback_webhooks: config.allow_loopback_webhooks.contains(&id),
        });
        first.get_or_insert_with(|| Arc::clone(&environment));
        environments.insert(id, environment);
    }
    let first = first.ok_or_else(|| Error::NotInitialised(config.data_dir.clone()))?;
    // A slip of the hand must not look like an environment that was allowed.
    for allowed in &config.allow_blind {
        if !environments.contains_key(allowed) {
            return Err(Error::NotFound("environment to allow blind signing in"));
        }
        tracing::warn!(environment = %allowed, "blind signing is allowed");
    }
    for allowed in &config.allow_loopback_webhooks {
        if !environments.contains_key(allowed) {
            return Err(Error::NotFound("environment to allow loopback webhooks in"));
        }
        tracing::warn!(environment = %allowed, "webhooks to this machine are allowed");
    }
    let key = first
        .keys
        .load(OwnSecret::Session, Arc::new(DbSink::plain(db.clone())))
        .await?
        .ok_or(Error::NotFound("session key"))?;
    let sessions = Sessions::new(&key, config.limits.session_ttl);
    Ok((environments, sessions, first.id.clone()))
}

async fn bind(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let listener = TcpListener::bind(addr)
        .await
        .map_err(Error::io(format!("listen on {addr}")))?;
    let addr = listener
        .local_addr()
        .map_err(Error::io("read the listening address"))?;
    Ok((listener, addr))
}
