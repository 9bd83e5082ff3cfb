//! Programs of the operating system.

use std::process::Command;

use super::Need;
use crate::process;

/// A program, how to see that it is there, and the Debian packages that bring it.
struct Program {
    name: &'static str,
    command: &'static str,
    arguments: &'static [&'static str],
    packages: &'static [&'static str],
    purpose: &'static str,
    /// Without it a step is left out, and says so.
    optional: bool,
}

const PROGRAMS: [Program; 9] = [
    Program {
        name: "C compiler",
        command: "cc",
        arguments: &["--version"],
        packages: &["gcc", "libc6-dev"],
        purpose: "aws-lc-rs and SQLite are compiled from C",
        optional: false,
    },
    Program {
        name: "Node.js",
        command: "node",
        arguments: &["--version"],
        packages: &["nodejs"],
        purpose: "runs the JavaScript judges",
        optional: false,
    },
    Program {
        name: "npm",
        command: "npm",
        arguments: &["--version"],
        packages: &["npm"],
        purpose: "fetches anvil, cast and the JavaScript judges",
        optional: false,
    },
    Program {
        name: "Python 3 with venv",
        command: "python3",
        arguments: &["-c", "import ensurepip, venv"],
        packages: &["python3-venv"],
        purpose: "holds LiteSVM and the Python judges",
        optional: false,
    },
    Program {
        name: "ip and unshare",
        command: "sh",
        arguments: &["-c", "ip -V && unshare --version"],
        packages: &["iproute2", "util-linux"],
        purpose: "runs the demo with networking cut",
        optional: false,
    },
    Program {
        name: "PostgreSQL server",
        command: "sh",
        arguments: &[
            "-c",
            "ls /usr/lib/postgresql/*/bin/initdb && setpriv --version",
        ],
        packages: &["postgresql", "util-linux"],
        purpose: "a real PostgreSQL for records and properties",
        optional: false,
    },
    Program {
        name: "Redis server",
        command: "sh",
        arguments: &["-c", "redis-server --version && redis-cli --version"],
        packages: &["redis-server", "redis-tools"],
        purpose: "a real Redis: single, TLS, Cluster, Sentinel",
        optional: false,
    },
    Program {
        name: "SoftHSM",
        command: "sh",
        arguments: &[
            "-c",
            "softhsm2-util --version && ls /usr/lib/softhsm/libsofthsm2.so",
        ],
        packages: &["softhsm2"],
        purpose: "a PKCS#11 module",
        optional: false,
    },
    Program {
        name: "spin",
        command: "spin",
        arguments: &["-V"],
        packages: &["spin"],
        purpose: "checks the models; optional",
        optional: true,
    },
];

impl Program {
    fn is_there(&self) -> bool {
        process::succeeds(self.command, self.arguments)
    }
}

/// Each program, there or missing.
pub(super) fn needs() -> Vec<Need> {
    let need = |program: &Program| {
        let there = program.is_there();
        let missing = (!there && !program.optional)
            .then(|| format!("MISSING: Debian package {}", program.packages.join(" ")));
        Need {
            name: program.name.to_owned(),
            missing,
            there,
            purpose: program.purpose,
        }
    };
    PROGRAMS.iter().map(need).collect()
}

/// Installs the Debian packages of what is missing. Needs to be root for that, and says so; what is
/// optional may stay missing.
pub(super) fn install() -> Result<(), String> {
    let packages = |optional: bool| -> Vec<&str> {
        PROGRAMS
            .iter()
            .filter(|program| program.optional == optional && !program.is_there())
            .flat_map(|program| program.packages.iter().copied())
            .collect()
    };
    let (needed, optional) = (packages(false), packages(true));
    let root = process::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let can_install = root && process::succeeds("apt-get", &["--version"]);
    if !needed.is_empty() && !can_install {
        return Err(format!(
            "install these first, as root: {}",
            needed.join(" ")
        ));
    }
    if !can_install || (needed.is_empty() && optional.is_empty()) {
        return Ok(());
    }
    let updated = process::run(&mut apt(&["update", "--quiet"]));
    if !optional.is_empty()
        && let Err(message) = process::run(apt(INSTALL).args(&optional))
    {
        println!("left out: {message}");
    }
    if needed.is_empty() {
        return Ok(());
    }
    updated?;
    process::run(apt(INSTALL).args(&needed))
}

const INSTALL: &[&str] = &["install", "--yes", "--quiet", "--no-install-recommends"];

fn apt(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(arguments);
    command
}
