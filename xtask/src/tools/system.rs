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
}

const PROGRAMS: [Program; 4] = [
    Program {
        name: "C compiler",
        command: "cc",
        arguments: &["--version"],
        packages: &["gcc", "libc6-dev"],
        purpose: "aws-lc-rs and SQLite are compiled from C",
    },
    Program {
        name: "Node.js",
        command: "node",
        arguments: &["--version"],
        packages: &["nodejs"],
        purpose: "runs the JavaScript judges",
    },
    Program {
        name: "npm",
        command: "npm",
        arguments: &["--version"],
        packages: &["npm"],
        purpose: "fetches anvil, cast and the JavaScript judges",
    },
    Program {
        name: "Python 3 with venv",
        command: "python3",
        arguments: &["-c", "import ensurepip, venv"],
        packages: &["python3-venv"],
        purpose: "holds LiteSVM and the Python judges",
    },
];

impl Program {
    fn is_there(&self) -> bool {
        process::succeeds(self.command, self.arguments)
    }
}

/// Each program, there or missing.
pub(super) fn needs() -> Vec<Need> {
    let need = |program: &Program| Need {
        name: program.name.to_owned(),
        missing: (!program.is_there())
            .then(|| format!("MISSING: Debian package {}", program.packages.join(" "))),
        purpose: program.purpose,
    };
    PROGRAMS.iter().map(need).collect()
}

/// Installs the Debian packages of what is missing. Needs to be root for that, and says so.
pub(super) fn install() -> Result<(), String> {
    let packages: Vec<&str> = PROGRAMS
        .iter()
        .filter(|program| !program.is_there())
        .flat_map(|program| program.packages.iter().copied())
        .collect();
    if packages.is_empty() {
        return Ok(());
    }
    let root = process::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root || !process::succeeds("apt-get", &["--version"]) {
        return Err(format!(
            "install these first, as root: {}",
            packages.join(" ")
        ));
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments);
        command
    };
    process::run(&mut apt(&["update", "--quiet"]))?;
    let mut command = apt(&["install", "--yes", "--quiet", "--no-install-recommends"]);
    process::run(command.args(&packages))
}
