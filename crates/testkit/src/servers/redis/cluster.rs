//! Redis Cluster: three masters with a replica each.

use std::net::TcpListener;
use std::process::Command;

use super::super::free_port;
use super::{PASSWORD, Redis, SYNCED, log};

/// Six nodes that form a cluster.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts the nodes, forms the cluster, and waits until every node knows and every replica has
    /// caught up.
    pub fn start() -> Self {
        let lines = [
            SYNCED,
            &[
                "cluster-enabled yes",
                "cluster-node-timeout 2000",
                "cluster-require-full-coverage no",
                "repl-diskless-sync-delay 0",
            ],
        ]
        .concat();
        let nodes: Vec<Redis> = (0..6).map(|_| Redis::at(bus_port(), &lines)).collect();
        let output = Command::new("redis-cli")
            .args(["-a", PASSWORD, "--no-auth-warning", "--cluster", "create"])
            .args(nodes.iter().map(Redis::address))
            .args(["--cluster-replicas", "1", "--cluster-yes"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        let cluster = Self { nodes };
        for node in &cluster.nodes {
            log::wait_for(&[node.log_file()], "Cluster state changed: ok", 1);
        }
        log::wait_for(&cluster.logs(), "MASTER <-> REPLICA sync: Finished", 3);
        cluster
    }

    /// The nodes' addresses.
    pub fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::address).collect()
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// Kills the master of the slot that `key` is in, once its replica has all that was written,
    /// and waits until the replica took its place.
    pub fn kill_owner_of(&mut self, key: &str) {
        // A node that does not own the slot says who does, also when the key is absent.
        let owner = self
            .nodes
            .iter()
            .position(|node| {
                let reply = String::from_utf8_lossy(&node.cli(&["GET", key])).into_owned();
                !reply.starts_with("MOVED")
            })
            .unwrap();
        let mark = format!("SET {key}:replicated 1");
        let replies = self.nodes[owner].must_cli_lines(&[&mark, "WAIT 1 0"]);
        assert_eq!(replies, "OK\n1");
        self.nodes[owner].kill();
        log::wait_for(&self.logs(), "Failover election won", 1);
    }

    fn logs(&self) -> Vec<std::path::PathBuf> {
        self.nodes.iter().map(Redis::log_file).collect()
    }
}

/// A free port whose bus port, 10000 above it, exists and is free too.
fn bus_port() -> u16 {
    loop {
        let port = free_port();
        let bus = port.checked_add(10_000);
        if bus.is_some_and(|bus| TcpListener::bind(("127.0.0.1", bus)).is_ok()) {
            return port;
        }
    }
}
