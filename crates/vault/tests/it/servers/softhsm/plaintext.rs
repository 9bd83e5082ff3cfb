//! What is sealed under a key in the token leaves no plaintext: not in the token's files, not in
//! the record, not in the log.

use std::sync::Arc;

use halfkey_core::SecretBytes;
use halfkey_testkit::servers::softhsm::PIN;
use halfkey_testkit::{Canary, CapturedLog};
use halfkey_vault::kms::pkcs11::Pkcs11Kek;
use halfkey_vault::{Dek, Expect, GetRecord, ManageKey, UnwrapKey, Vault, VaultParts, WrapKey};

use super::{create, in_own_process, session, softhsm};
use crate::support::{access, ctx, memory, name};

#[test]
fn nothing_plaintext_is_left_in_token_record_or_log() {
    in_own_process(async || {
        let log = CapturedLog::install();
        let kek = Arc::new(create().await);
        let parts = memory();
        let vault = Vault::new(VaultParts {
            wrap: Some(Arc::<Pkcs11Kek>::clone(&kek)),
            unwrap: Some(Arc::<Pkcs11Kek>::clone(&kek)),
            ..parts.vault.parts().clone()
        });
        let share: Vec<u8> = (0..13_125_u32)
            .flat_map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes())
            .collect();
        let share_canary = Canary::new("the share", &share);
        let (share, at) = (SecretBytes::new(share), name("wallet:0xab/shares/2"));
        vault
            .store(&at, &ctx(), &share, Expect::Absent, &access())
            .await
            .unwrap();
        let loaded = vault.load(&at, &ctx(), &access()).await.unwrap();
        assert_eq!(loaded.value, share);

        let dek = Dek::generate().unwrap();
        let dek_canary = Canary::new("the DEK", dek.expose());
        let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
        kek.rotate().await.unwrap();
        // The way back from a lost login is logged.
        session().logout().unwrap();
        kek.unwrap(&ctx(), &wrapped).await.unwrap();
        let mut damaged = wrapped.clone();
        damaged.bytes[30] ^= 1;
        let refused = kek.unwrap(&ctx(), &damaged).await.unwrap_err();

        let record = parts.records.get(&at).await.unwrap().unwrap();
        let mut places = softhsm().files();
        assert!(
            places.len() >= 6,
            "token, lock, generation and two keys with theirs"
        );
        places.push(("the record".into(), record.value));
        places.push(("the wrap".into(), wrapped.bytes));
        places.push(("the error".into(), format!("{refused:?}").into_bytes()));
        places.push(("the log".into(), log.bytes()));
        let pin_canary = Canary::text("the PIN", PIN);
        for (place, bytes) in places {
            for canary in [&share_canary, &dek_canary, &pin_canary] {
                canary.must_be_absent(&place.display().to_string(), &bytes);
            }
        }
        let log = String::from_utf8(log.bytes()).unwrap();
        assert!(log.contains("the session with the token was lost"), "{log}");
    });
}
