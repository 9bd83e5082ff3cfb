//! A session, login, token or key that is lost meanwhile is an outage, never damage.

use cryptoki::session::UserType;
use halfkey_testkit::servers::softhsm::{OFFICER_PIN, PIN};
use halfkey_vault::kms::pkcs11::Pkcs11Kek;
use halfkey_vault::{Dek, Error, UnwrapKey, WrapKey, Wrapped};

use super::{LABEL, TOKEN, config, create, in_own_process, keys, make_key, module, open, pin};
use super::{session, slot, softhsm};
use crate::support::ctx;

async fn wrapped(kek: &Pkcs11Kek) -> (Dek, Wrapped) {
    let dek = Dek::generate().unwrap();
    let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
    (dek, wrapped)
}

/// Neither a sound wrap, nor a damaged one, nor one of a version nobody knows is called damaged.
async fn must_be_an_outage(kek: &Pkcs11Kek, sound: &Wrapped) {
    let (mut damaged, mut unknown) = (sound.clone(), sound.clone());
    damaged.bytes[30] ^= 1;
    "9".clone_into(&mut unknown.kek_version);
    for wrapped in [sound, &damaged, &unknown] {
        let lost = kek.unwrap(&ctx(), wrapped).await.unwrap_err();
        assert!(lost.is_transient(), "{lost:?}");
    }
}

#[test]
fn a_lost_login_is_made_again() {
    in_own_process(async || {
        let kek = create().await;
        let (dek, sound) = wrapped(&kek).await;
        session().logout().unwrap();
        assert!(kek.unwrap(&ctx(), &sound).await.unwrap() == dek);
        session().logout().unwrap();
        kek.wrap(&ctx(), &dek).await.unwrap();
        session().logout().unwrap();
        let mut damaged = sound;
        damaged.bytes[30] ^= 1;
        let refused = kek.unwrap(&ctx(), &damaged).await;
        assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
    });
}

#[test]
fn lost_sessions_are_opened_again() {
    in_own_process(async || {
        let kek = create().await;
        let (dek, sound) = wrapped(&kek).await;
        // Somebody in this process ends the module, and every session with it.
        module().finalize().unwrap();
        assert!(kek.unwrap(&ctx(), &sound).await.unwrap() == dek);
    });
}

#[test]
fn a_removed_token_is_an_outage() {
    in_own_process(async || {
        let kek = create().await;
        let (_, sound) = wrapped(&kek).await;
        softhsm().delete_token(TOKEN);
        must_be_an_outage(&kek, &sound).await;
    });
}

#[test]
fn a_token_initialised_anew_is_an_outage() {
    in_own_process(async || {
        let kek = create().await;
        let (_, sound) = wrapped(&kek).await;
        // Without a session left, as the standard asks.
        module().finalize().unwrap();
        let module = module();
        let slot = slot(&module);
        module.init_token(slot, &pin(OFFICER_PIN), TOKEN).unwrap();
        let officer = module.open_rw_session(slot).unwrap();
        officer
            .login(UserType::So, Some(&pin(OFFICER_PIN)))
            .unwrap();
        officer.init_pin(&pin(PIN)).unwrap();
        drop(officer);
        must_be_an_outage(&kek, &sound).await;
        // Not even when it has a key of that name and number again.
        make_key(&session(), &[]);
        must_be_an_outage(&kek, &sound).await;
        let refused = kek.wrap(&ctx(), &Dek::generate().unwrap()).await;
        assert!(refused.is_err_and(|error| error.is_transient()));
        // Who opens it now takes it as it is: nothing in the token tells of the old key.
        open(&config()).await.unwrap();
    });
}

#[test]
fn another_key_in_its_place_is_an_outage() {
    in_own_process(async || {
        let kek = create().await;
        let (_, sound) = wrapped(&kek).await;
        let session = session();
        session.destroy_object(keys(&session, LABEL)[0]).unwrap();
        make_key(&session, &[]);
        must_be_an_outage(&kek, &sound).await;
    });
}
