//! A server as a child process that cannot outlive the test.

use std::io::{BufRead as _, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

/// How long a server may take to say that it is ready, on a loaded machine.
const START_LIMIT: Duration = Duration::from_mins(2);

/// How many of its last lines are shown when it does not start.
const SHOWN_LINES: usize = 40;

/// Runs the program; kills it when standard input ends, which is when the test process does. The
/// watcher reads it by another number, because a shell gives `/dev/null` to what it runs in the
/// background; and it holds neither output, so that they end with the program.
const SUPERVISOR: &str = r#"exec 3<&0
"$@" </dev/null 3<&- & child=$!
echo "supervised $child"
{ cat <&3; kill -KILL $child; } >/dev/null 2>&1 & watcher=$!
wait $child
kill $watcher 2>/dev/null"#;

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A running server, killed when dropped and when the test process ends.
#[derive(Debug)]
pub struct ServerProcess {
    supervisor: Child,
    pid: u32,
    stdin: Option<ChildStdin>,
}

impl ServerProcess {
    /// Starts the program and waits until it prints a line that contains `marker`, on either
    /// stream. What it prints is shown only when it does not start.
    pub fn start(command: &Command, marker: &'static str) -> Self {
        let (server, lines) = Self::start_with_lines(command, marker);
        // Read on, or the server would block on a full pipe.
        thread::spawn(move || for _ in lines {});
        server
    }

    /// The same, with the lines it prints from then on; whoever takes them must read them all, or
    /// the server blocks on a full pipe.
    pub fn start_with_lines(command: &Command, marker: &'static str) -> (Self, Receiver<String>) {
        let mut supervised = Command::new("/bin/sh");
        supervised.args(["-c", SUPERVISOR, "sh"]);
        supervised.arg(command.get_program());
        supervised.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => supervised.env(name, value),
                None => supervised.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            supervised.current_dir(folder);
        }
        let mut supervisor = supervised
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = supervisor.stdin.take();
        let (sender, lines) = mpsc::sync_channel(1024);
        forward(supervisor.stdout.take().unwrap(), sender.clone());
        forward(supervisor.stderr.take().unwrap(), sender);
        let mut server = Self {
            supervisor,
            pid: 0,
            stdin,
        };
        let program = command.get_program().display().to_string();
        let mut seen: Vec<String> = Vec::new();
        let mut is_ready = false;
        // The two lines come by two streams, in any order; without the first, signals would go to
        // process 0, which is everybody's.
        while !is_ready || server.pid == 0 {
            match lines.recv_timeout(START_LIMIT) {
                Ok(line) => {
                    if let Some(pid) = line.strip_prefix("supervised ") {
                        server.pid = pid.trim().parse().unwrap();
                    } else {
                        is_ready = is_ready || line.contains(marker);
                        seen.push(line);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{program} ended:\n{}", last_of(&seen))
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{program} did not start:\n{}", last_of(&seen))
                }
            }
        }
        (server, lines)
    }

    /// Its process id.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends it a signal by name, such as `KILL`, `STOP` or `CONT`. After `STOP` none of its
    /// threads runs any more.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.pid.to_string()])
            .status()
            .unwrap();
        assert!(status.success(), "kill -{name} {}", self.pid);
        // The signal is sent when `kill` ends; the threads stop when they come by.
        while name == "STOP" && !self.has_stopped() {
            thread::yield_now();
        }
    }

    fn has_stopped(&self) -> bool {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", self.pid)) else {
            // A system that does not tell.
            return true;
        };
        let mut stats =
            tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("stat")));
        // The state follows the name, which stands in brackets; one that ended is looked for again.
        stats.all(|stat| stat.is_ok_and(|stat| stat.contains(") T ")))
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        drop(self.stdin.take());
        let _reaped = self.supervisor.wait();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn last_of(lines: &[String]) -> String {
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

/// Sends each line on; ends with the stream.
fn forward(stream: impl Read + Send + 'static, sender: SyncSender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if sender.send(line).is_err() {
                break;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_alive(pid: u32) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.split(' ').nth(2).is_some_and(|state| state != "Z")
    }

    #[test]
    fn a_server_is_gone_when_it_is_dropped() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo ready >&2; exec tail -f /dev/null"]);
        let server = ServerProcess::start(&command, "ready");
        let pid = server.pid();
        assert!(is_alive(pid));
        drop(server);
        assert!(!is_alive(pid));
    }

    #[test]
    #[should_panic(expected = "ended:\nno")]
    fn a_server_that_ends_says_what_it_printed() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo no"]);
        ServerProcess::start(&command, "ready");
    }
}
