//! A child process that serves on a loopback port until it is dropped.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long a node may take to say where it listens. It takes well under a second; the rest is for
/// a loaded machine.
const START_LIMIT: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    /// A node that reads it ends when this process does, even killed.
    _stdin: Option<ChildStdin>,
    pub(crate) address: SocketAddr,
}

impl Node {
    /// Starts the program and waits until it prints `marker` and its address on one line.
    pub(crate) fn start(command: &mut Command, marker: &'static str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().unwrap();
        let (sender, receiver) = mpsc::sync_channel(1);
        // Reads to the end, or the node would block on a full pipe. Ends with the node.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(address) = line.trim().strip_prefix(marker) {
                    // Nobody listens to a second one.
                    let _unheard = sender.try_send(address.trim().parse());
                }
            }
        });
        let mut node = Self {
            child,
            _stdin: stdin,
            address: ([127, 0, 0, 1], 0).into(),
        };
        node.address = match receiver.recv_timeout(START_LIMIT) {
            Ok(Ok(address)) => address,
            Ok(Err(error)) => panic!("the node's address: {error}"),
            Err(RecvTimeoutError::Disconnected) => {
                panic!("the node ended: {:?}", node.child.wait())
            }
            Err(RecvTimeoutError::Timeout) => panic!("the node did not start"),
        };
        node
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is reaped.
        let _killed = self.child.kill();
        let _status = self.child.wait();
    }
}
