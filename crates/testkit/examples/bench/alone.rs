//! The engines alone: their own functions, no encoding, no network, no storage.

use std::collections::BTreeMap;
use std::time::Duration;

use dkls23_core::protocols::dkg::{self, SessionData};
use dkls23_core::protocols::sign_session::SignSession;
use dkls23_core::protocols::signing::SignData;
use dkls23_core::protocols::{Parameters, PartyIndex};
use dkls23_secp256k1::Party;
use engine_k256::Secp256k1;
use frost_ed25519 as frost;
use rand_core::OsRng;

use crate::table::Table;
use crate::{Failure, cpu};

const SIGNS: u32 = 50;
const GROUP: &str = "engine alone";

/// CPU per signature of the side that answers.
pub(crate) struct Engine {
    pub(crate) ecdsa_provider: Duration,
    pub(crate) ed25519_provider: Duration,
}

pub(crate) fn measure(table: &mut Table) -> Result<Engine, Failure> {
    let before = cpu::thread();
    let parties = dkls_keygen()?;
    table.time(
        GROUP,
        "DKLs23 keygen 2-of-2, both parties",
        cpu::since(before),
        "",
    );
    let (mut customer, mut provider) = (Duration::ZERO, Duration::ZERO);
    for number in 0..SIGNS {
        let (c, p) = dkls_sign(&parties, number)?;
        customer += c;
        provider += p;
    }
    let ecdsa_provider = provider / SIGNS;
    table.time(GROUP, "DKLs23 sign, customer", customer / SIGNS, "");
    table.time(GROUP, "DKLs23 sign, provider", ecdsa_provider, "");
    let ed25519_provider = frost_sign(table)?;
    Ok(Engine {
        ecdsa_provider,
        ed25519_provider,
    })
}

fn failed(error: impl core::fmt::Debug) -> Failure {
    format!("{error:?}").into()
}

fn dkls_keygen() -> Result<[Party; 2], Failure> {
    let parameters = Parameters::new(2, 2).map_err(failed)?;
    let index = |number| PartyIndex::new(number).map_err(failed);
    let data = [index(1)?, index(2)?].map(|party_index| SessionData {
        parameters: parameters.clone(),
        party_index,
        session_id: vec![1; 32],
    });
    let fragments = data.each_ref().map(dkg::phase1::<Secp256k1>);
    let second = [0_usize, 1].map(|own| {
        let mine: Vec<_> = fragments
            .iter()
            .filter_map(|list| list.get(own).copied())
            .collect();
        dkg::phase2::<Secp256k1>(&data[own], &mine)
    });
    let third = [0_usize, 1]
        .map(|own| dkg::phase3::<Secp256k1>(&data[own], &second[own].2, &second[own].4));
    let proofs = [second[0].1.clone(), second[1].1.clone()];
    let broadcast2: BTreeMap<_, _> = second
        .iter()
        .map(|out| (out.5.sender_index, out.5.clone()))
        .collect();
    let broadcast3: BTreeMap<_, _> = third
        .iter()
        .map(|out| (out.4.sender_index, out.4.clone()))
        .collect();
    let finish = |own: usize, peer: usize| {
        dkg::phase4::<Secp256k1>(
            &data[own],
            &second[own].0,
            &proofs,
            &third[own].0,
            &second[peer].3,
            &third[peer].1,
            &third[own].2,
            &third[peer].3,
            &broadcast2,
            &broadcast3,
            |_| String::new(),
        )
        .map(|(party, _)| party)
        .map_err(failed)
    };
    Ok([finish(0, 1)?, finish(1, 0)?])
}

/// One signature on the schedule of two round trips; CPU of (customer, provider).
fn dkls_sign(parties: &[Party; 2], number: u32) -> Result<(Duration, Duration), Failure> {
    let [provider, customer] = parties;
    let data = |peer: u8| -> Result<SignData, Failure> {
        Ok(SignData {
            sign_id: number.to_be_bytes().to_vec(),
            counterparties: vec![PartyIndex::new(peer).map_err(failed)?],
            message_hash: [7; 32],
        })
    };
    let start = cpu::thread();
    let (mut c, c1) = SignSession::new(customer, data(1)?).map_err(failed)?;
    let c_time = cpu::since(start);
    let start = cpu::thread();
    let (mut p, p1) = SignSession::new(provider, data(2)?).map_err(failed)?;
    let p2 = p.phase2(&c1).map_err(failed)?;
    let p_time = cpu::since(start);
    let start = cpu::thread();
    let c2 = c.phase2(&p1).map_err(failed)?;
    let c3 = c.phase3(&p2).map_err(failed)?;
    let c_time = c_time + cpu::since(start);
    let start = cpu::thread();
    let p3 = p.phase3(&c2).map_err(failed)?;
    let p_signed = p.phase4(&[p3.clone(), c3.clone()], true).map_err(failed);
    let p_time = p_time + cpu::since(start);
    let start = cpu::thread();
    let c_signed = c.phase4(&[p3, c3], true).map_err(failed);
    let c_time = c_time + cpu::since(start);
    p_signed?;
    c_signed?;
    Ok((c_time, p_time))
}

fn frost_sign(table: &mut Table) -> Result<Duration, Failure> {
    let (shares, public) =
        frost::keys::generate_with_dealer(2, 2, frost::keys::IdentifierList::Default, OsRng)?;
    let mut keys = Vec::new();
    for (_, share) in shares {
        keys.push(frost::keys::KeyPackage::try_from(share)?);
    }
    let [provider, customer] = keys.as_slice() else {
        return Err("two shares".into());
    };
    let message = [7_u8; 32];
    let (mut c_time, mut p_time) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..SIGNS {
        let start = cpu::thread();
        let (c_nonces, c_commitments) = frost::round1::commit(customer.signing_share(), &mut OsRng);
        c_time += cpu::since(start);
        let start = cpu::thread();
        let (p_nonces, p_commitments) = frost::round1::commit(provider.signing_share(), &mut OsRng);
        let commitments = BTreeMap::from([
            (*provider.identifier(), p_commitments),
            (*customer.identifier(), c_commitments),
        ]);
        let package = frost::SigningPackage::new(commitments, &message);
        let p_share = frost::round2::sign(&package, &p_nonces, provider)?;
        p_time += cpu::since(start);
        let start = cpu::thread();
        let c_share = frost::round2::sign(&package, &c_nonces, customer)?;
        let signature_shares = BTreeMap::from([
            (*provider.identifier(), p_share),
            (*customer.identifier(), c_share),
        ]);
        frost::aggregate(&package, &signature_shares, &public)?;
        c_time += cpu::since(start);
    }
    table.time(GROUP, "FROST Ed25519 sign, customer", c_time / SIGNS, "");
    table.time(GROUP, "FROST Ed25519 sign, provider", p_time / SIGNS, "");
    Ok(p_time / SIGNS)
}
