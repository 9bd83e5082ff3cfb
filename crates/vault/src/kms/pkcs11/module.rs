//! Modules are loaded once and stay: many a vendor's does not survive being unloaded, and login and
//! sessions are the process's anyway.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as ModuleError, RvError};

use super::failure;
use crate::Error;

static LOADED: Mutex<BTreeMap<PathBuf, Pkcs11>> = Mutex::new(BTreeMap::new());

/// The module at `path`, ready.
pub(super) fn load(path: &Path) -> Result<Pkcs11, Error> {
    let fail = |why: &str| Error::Config(format!("PKCS#11 module {}: {why}", path.display()));
    // A bare name would be searched for in places that depend on the environment.
    if !path.is_absolute() {
        return Err(fail("its path is not absolute"));
    }
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(module) = loaded.get(path) {
        return Ok(module.clone());
    }
    if !path.is_file() {
        return Err(fail("there is no such file"));
    }
    let module = Pkcs11::new(path).map_err(|_| fail("it cannot be loaded"))?;
    initialize(&module).map_err(|error| {
        let code = failure::code(&error).map(|code| format!(" ({code:?})"));
        fail(&format!("it does not start{}", code.unwrap_or_default()))
    })?;
    loaded.insert(path.to_owned(), module.clone());
    Ok(module)
}

/// Starts it, unless something in this process has done so. It is never ended: others may use it.
pub(super) fn initialize(module: &Pkcs11) -> Result<(), ModuleError> {
    let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    match module.initialize(arguments) {
        Err(error) if failure::code(&error) == Some(RvError::CryptokiAlreadyInitialized) => Ok(()),
        started => started,
    }
}
