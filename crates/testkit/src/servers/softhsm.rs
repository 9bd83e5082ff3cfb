//! SoftHSM, a PKCS#11 module in software.
//!
//! It has no server: the module runs inside the process that uses it, reads `SOFTHSM2_CONF` from
//! that process's environment, and knows one login per token and process. So each test has a
//! process of its own, with tokens of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The user PIN of every token made here, and the variable that holds it.
pub const PIN: &str = "testkit-user-pin-7731";
/// See [`PIN`].
pub const PIN_VARIABLE: &str = "HALFKEY_TESTKIT_SOFTHSM_PIN";
/// A PIN that is wrong, and the variable that holds it.
pub const WRONG_PIN: &str = "testkit-wrong-pin-1377";
/// See [`WRONG_PIN`].
pub const WRONG_PIN_VARIABLE: &str = "HALFKEY_TESTKIT_SOFTHSM_WRONG_PIN";
/// The security officer's PIN of every token made here.
pub const OFFICER_PIN: &str = "testkit-officer-pin-5150";

/// Set for a process that has tokens of its own: their folder.
const FOLDER: &str = "HALFKEY_TESTKIT_SOFTHSM_FOLDER";

/// Where the distributions put the module.
const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];

/// The tokens of this process.
#[derive(Debug)]
pub struct SoftHsm {
    folder: PathBuf,
}

impl SoftHsm {
    /// The tokens of this process, if it was started by [`Self::run_test`].
    pub fn of_this_process() -> Option<Self> {
        let folder = std::env::var_os(FOLDER)?.into();
        Some(Self { folder })
    }

    /// An empty folder for the tokens of the process that `command` starts; it goes away with the
    /// value.
    pub fn give_to(command: &mut Command) -> TempDir {
        let folder = TempDir::new().unwrap();
        let tokens = folder.path().join("tokens");
        std::fs::create_dir(&tokens).unwrap();
        let configuration = folder.path().join("softhsm2.conf");
        let lines = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        std::fs::write(&configuration, lines).unwrap();
        command
            .env("SOFTHSM2_CONF", configuration)
            .env(FOLDER, folder.path())
            .env(PIN_VARIABLE, PIN)
            .env(WRONG_PIN_VARIABLE, WRONG_PIN);
        folder
    }

    /// Runs one test of this test binary in a process with an empty folder for tokens, and fails
    /// unless it ran and passed.
    pub fn run_test(name: &str) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let _folder = Self::give_to(&mut command);
        let output = command
            // Two threads: with one the test would have the name of the main thread.
            .args(["--exact", name, "--nocapture", "--test-threads=2"])
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && printed.contains("test result: ok. 1 passed"),
            "{name} in a process of its own: {}\n{printed}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Whether the module is installed.
    pub fn is_there() -> bool {
        installed().is_some()
    }

    /// The module.
    pub fn module() -> PathBuf {
        installed().unwrap_or_else(|| panic!("SoftHSM is missing: cargo xtask test --install"))
    }

    /// Makes a token. A module that has started in this process does not see it.
    pub fn init_token(&self, label: &str) {
        let pins = ["--pin", PIN, "--so-pin", OFFICER_PIN];
        self.run(&["--init-token", "--free", "--label", label], &pins);
    }

    /// Removes a token with everything in it, under the feet of a module that has started.
    pub fn delete_token(&self, label: &str) {
        self.run(&["--delete-token", "--token", label], &[]);
    }

    fn run(&self, arguments: &[&str], pins: &[&str]) {
        let output = Command::new("softhsm2-util")
            .args(arguments)
            .args(pins)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        let folder = self.folder.display();
        assert!(
            output.status.success(),
            "{arguments:?} in {folder}: {error}"
        );
    }

    /// Every file of every token, with its bytes.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = |folder: &Path| std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        let tokens = entries(&self.folder.join("tokens"));
        let files = tokens.flat_map(|token| entries(&token.path()).collect::<Vec<_>>());
        files
            .map(|file| (file.path(), std::fs::read(file.path()).unwrap()))
            .collect()
    }
}

fn installed() -> Option<PathBuf> {
    let mut modules = MODULES.iter().map(PathBuf::from);
    modules.find(|path| path.exists())
}
