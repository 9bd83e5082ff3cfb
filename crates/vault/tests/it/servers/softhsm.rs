//! PKCS#11 against SoftHSM. Each test runs in a process of its own: `testkit::servers::softhsm`
//! says why.

mod example;
mod keys;
mod loss;
mod manage;
mod open;
mod plaintext;

use core::any::type_name;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::{AuthPin, Ulong};
use halfkey_testkit::servers::softhsm::{PIN, PIN_VARIABLE, SoftHsm};
use halfkey_testkit::tools;
use halfkey_vault::Error;
use halfkey_vault::kms::pkcs11::{Pkcs11Config, Pkcs11Kek};
use halfkey_vault::net::SecretSource;

use crate::support::{clock, environment};

/// The token of most tests.
const TOKEN: &str = "a token";

/// The label of the key in it.
const LABEL: &str = "halfkey-env-test";

/// Runs a test's body in a process of its own.
fn in_own_process<F: AsyncFnOnce()>(body: F) {
    if SoftHsm::of_this_process().is_some() {
        tools::real_part("softhsm");
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(body());
        return;
    }
    // The closure is named after the function it stands in.
    let test = type_name::<F>()
        .strip_prefix("it::")
        .and_then(|name| name.strip_suffix("::{{closure}}"));
    SoftHsm::run_test(test.unwrap());
}

mod suite {
    use super::{create, in_own_process};

    async fn make() -> (super::Pkcs11Kek, ()) {
        (create().await, ())
    }

    macro_rules! cases_in_own_processes {
        ($suite:ident, $make:path, $($case:ident),+ $(,)?) => {$(
            #[test]
            fn $case() {
                in_own_process(async || {
                    let (kek, _alive) = $make().await;
                    halfkey_vault::conformance::$suite::$case(&kek).await;
                });
            }
        )+};
    }
    halfkey_vault::key_provider_conformance!(make, cases_in_own_processes);
}

fn softhsm() -> SoftHsm {
    SoftHsm::of_this_process().unwrap()
}

fn config() -> Pkcs11Config {
    Pkcs11Config {
        module: SoftHsm::module(),
        token_label: TOKEN.to_owned(),
        token_serial: None,
        pin: SecretSource::Env(PIN_VARIABLE.to_owned()),
        key_label: None,
        deadline_ms: 60_000,
        sessions: 4,
        token_makes_nonce: false,
    }
}

/// A fresh token with a fresh key.
async fn create() -> Pkcs11Kek {
    softhsm().init_token(TOKEN);
    Pkcs11Kek::create(&config(), &environment(), clock())
        .await
        .unwrap()
}

async fn open(config: &Pkcs11Config) -> Result<Pkcs11Kek, Error> {
    Pkcs11Kek::open(config, &environment(), clock()).await
}

/// The module as another part of this process uses it.
fn module() -> Pkcs11 {
    let module = Pkcs11::new(SoftHsm::module()).unwrap();
    // The back-end may have started it.
    let _started = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    module
}

fn slot(module: &Pkcs11) -> Slot {
    let slots = module.get_slots_with_initialized_token().unwrap();
    let labelled = |slot: &Slot| module.get_token_info(*slot).unwrap().label() == TOKEN;
    slots.into_iter().find(labelled).unwrap()
}

fn pin(text: &str) -> AuthPin {
    AuthPin::new(text.into())
}

/// A session beside the back-end's own, logged in as all of this process's are.
fn session() -> Session {
    let module = module();
    let session = module.open_rw_session(slot(&module)).unwrap();
    // It may be logged in.
    let _login = session.login(UserType::User, Some(&pin(PIN)));
    session
}

/// A sound key of the test's environment; later attributes replace those of the same kind.
fn make_key(session: &Session, different: &[Attribute]) -> ObjectHandle {
    let mut template = vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::ValueLen(Ulong::new(32)),
        Attribute::Label(LABEL.into()),
        Attribute::Id(vec![1]),
    ];
    for attribute in different {
        template.retain(|sound| sound.attribute_type() != attribute.attribute_type());
        template.push(attribute.clone());
    }
    let mechanism = cryptoki::mechanism::Mechanism::AesKeyGen;
    session.generate_key(&mechanism, &template).unwrap()
}

/// The keys of a label.
fn keys(session: &Session, label: &str) -> Vec<ObjectHandle> {
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Label(label.into()),
    ];
    session.find_objects(&template).unwrap()
}
