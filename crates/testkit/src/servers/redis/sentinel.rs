//! A master, its replica, and three sentinels.

use tempfile::TempDir;

use super::super::{ServerProcess, free_port};
use super::{PASSWORD, Redis, SYNCED, folder, log, start};

/// The name under which the master is watched.
const SERVICE: &str = "halfkey";

/// The deployment.
#[derive(Debug)]
pub struct RedisSentinel {
    master: Redis,
    replica: Redis,
    sentinels: Vec<(ServerProcess, u16, TempDir)>,
}

impl RedisSentinel {
    /// The sentinels' own password.
    pub const PASSWORD: &'static str = "testkit-sentinel-password";

    /// Starts all and waits until the replica has caught up and each sentinel knows it and the
    /// other two.
    pub fn start() -> Self {
        let master = Redis::at(
            free_port(),
            &[SYNCED, &["repl-diskless-sync-delay 0"]].concat(),
        );
        let replica_of = format!("replicaof 127.0.0.1 {}", master.port());
        let replica = Redis::at(free_port(), &[SYNCED, &[replica_of.as_str()]].concat());
        log::wait_for(
            &[replica.log_file()],
            "MASTER <-> REPLICA sync: Finished",
            1,
        );
        let sentinels: Vec<_> = (0..3).map(|_| sentinel(master.port())).collect();
        for (_, _, dir) in &sentinels {
            let log = [dir.path().join("redis.log")];
            log::wait_for(&log, "+sentinel sentinel", 2);
            log::wait_for(&log, "+slave slave", 1);
        }
        Self {
            master,
            replica,
            sentinels,
        }
    }

    /// The name of the service.
    pub const fn service(&self) -> &'static str {
        SERVICE
    }

    /// The sentinels' addresses.
    pub fn addresses(&self) -> Vec<String> {
        let ports = self.sentinels.iter().map(|(_, port, _)| port);
        ports.map(|port| format!("127.0.0.1:{port}")).collect()
    }

    /// The server that was made the master.
    pub const fn master(&self) -> &Redis {
        &self.master
    }

    /// The server that was made the replica.
    pub const fn replica(&self) -> &Redis {
        &self.replica
    }

    /// Kills the master and waits until every sentinel names the replica instead.
    pub fn fail_over(&mut self) {
        self.master.kill();
        for (_, _, dir) in &self.sentinels {
            log::wait_for(&[dir.path().join("redis.log")], "+switch-master", 1);
        }
    }
}

fn sentinel(master: u16) -> (ServerProcess, u16, TempDir) {
    let (port, dir) = (free_port(), folder());
    let password = RedisSentinel::PASSWORD;
    let config = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\nrequirepass {password}\n\
         sentinel sentinel-pass {password}\n\
         sentinel monitor {SERVICE} 127.0.0.1 {master} 2\n\
         sentinel auth-pass {SERVICE} {PASSWORD}\n\
         sentinel down-after-milliseconds {SERVICE} 1000\n\
         sentinel failover-timeout {SERVICE} 10000\n",
        dir.path().display()
    );
    let process = start(
        dir.path(),
        &config,
        &["redis-server", "--sentinel"],
        "+monitor master",
    );
    (process, port, dir)
}
