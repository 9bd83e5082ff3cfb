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
use frost_ed25519::keys::dkg as dkg_frost;
use rand_core::OsRng;

use crate::table::Table;
use crate::{Failure, cpu};

/// CPU of each party for one operation.
#[derive(Clone, Copy, Default)]
pub(crate) struct Parties {
    pub(crate) customer: Duration,
    pub(crate) provider: Duration,
}

impl Parties {
    pub(crate) fn both(self) -> Duration {
        self.customer + self.provider
    }

    /// Runs `work` and adds its CPU time to `sum`.
    fn timed<T>(sum: &mut Duration, work: impl FnOnce() -> T) -> T {
        let start = cpu::thread();
        let result = work();
        *sum += cpu::since(start);
        result
    }
}

/// The same operation again and again.
#[derive(Default)]
pub(crate) struct Runs(Vec<Parties>);

impl Runs {
    /// The median of each party.
    pub(crate) fn median(&self) -> Parties {
        Parties {
            customer: cpu::median(self.0.iter().map(|run| run.customer).collect()),
            provider: cpu::median(self.0.iter().map(|run| run.provider).collect()),
        }
    }

    /// Adds a row for each party.
    pub(crate) fn add(&self, table: &mut Table, what: &str) {
        const GROUP: &str = "engine alone";
        let Parties { customer, provider } = self.median();
        table.time(GROUP, &format!("{what}, customer"), customer, "");
        table.time(GROUP, &format!("{what}, provider"), provider, "");
    }
}

/// The engines with keys of their own, to be run between the operations they are compared with: a
/// machine that is busy slows both alike then.
pub(crate) struct Engine {
    ecdsa: [Party; 2],
    ed25519: FrostKeys,
}

impl Engine {
    pub(crate) fn new() -> Result<Self, Failure> {
        let mut unused = Parties::default();
        Ok(Self {
            ecdsa: dkls_keygen(&mut unused)?,
            ed25519: frost_keygen(&mut unused)?,
        })
    }

    pub(crate) fn ecdsa_keygen(runs: &mut Runs) -> Result<(), Failure> {
        let mut time = Parties::default();
        dkls_keygen(&mut time)?;
        runs.0.push(time);
        Ok(())
    }

    pub(crate) fn ecdsa_sign(&self, runs: &mut Runs, number: u32) -> Result<(), Failure> {
        let (customer, provider) = dkls_sign(&self.ecdsa, number)?;
        runs.0.push(Parties { customer, provider });
        Ok(())
    }

    pub(crate) fn ed25519_keygen(runs: &mut Runs) -> Result<(), Failure> {
        let mut time = Parties::default();
        frost_keygen(&mut time)?;
        runs.0.push(time);
        Ok(())
    }

    pub(crate) fn ed25519_sign(&self, runs: &mut Runs) -> Result<(), Failure> {
        runs.0.push(frost_sign(&self.ed25519)?);
        Ok(())
    }
}

fn failed(error: impl core::fmt::Debug) -> Failure {
    format!("{error:?}").into()
}

/// A key between the provider (index 1) and the customer (index 2).
fn dkls_keygen(time: &mut Parties) -> Result<[Party; 2], Failure> {
    let parameters = Parameters::new(2, 2).map_err(failed)?;
    let index = |number| PartyIndex::new(number).map_err(failed);
    let data = [index(1)?, index(2)?].map(|party_index| SessionData {
        parameters: parameters.clone(),
        party_index,
        session_id: vec![1; 32],
    });
    let clocks = &mut [&mut time.provider, &mut time.customer];
    let fragments =
        [0, 1].map(|own| Parties::timed(clocks[own], || dkg::phase1::<Secp256k1>(&data[own])));
    let second = [0, 1].map(|own: usize| {
        let mine: Vec<_> = fragments
            .iter()
            .filter_map(|list| list.get(own).copied())
            .collect();
        Parties::timed(clocks[own], || dkg::phase2::<Secp256k1>(&data[own], &mine))
    });
    let third = [0, 1].map(|own: usize| {
        let (keep, state) = (&second[own].2, &second[own].4);
        Parties::timed(clocks[own], || {
            dkg::phase3::<Secp256k1>(&data[own], keep, state)
        })
    });
    let proofs = [second[0].1.clone(), second[1].1.clone()];
    let broadcast2: BTreeMap<_, _> = second
        .iter()
        .map(|out| (out.5.sender_index, out.5.clone()))
        .collect();
    let broadcast3: BTreeMap<_, _> = third
        .iter()
        .map(|out| (out.4.sender_index, out.4.clone()))
        .collect();
    let finish = |clock: &mut Duration, own: usize, peer: usize| {
        let phase4 = || {
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
        };
        Parties::timed(clock, phase4)
            .map(|(party, _)| party)
            .map_err(failed)
    };
    Ok([finish(clocks[0], 0, 1)?, finish(clocks[1], 1, 0)?])
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

/// Each party's keys: the provider's first.
type FrostKeys = ([frost::keys::KeyPackage; 2], frost::keys::PublicKeyPackage);

/// Distributed key generation, as for `ed25519Standard`.
fn frost_keygen(time: &mut Parties) -> Result<FrostKeys, Failure> {
    let ids = [
        frost::Identifier::try_from(1)?,
        frost::Identifier::try_from(2)?,
    ];
    let clocks = &mut [&mut time.provider, &mut time.customer];
    let part1 = |clock: &mut Duration, own: usize| {
        Parties::timed(clock, || dkg_frost::part1(ids[own], 2, 2, OsRng))
    };
    let (provider, customer) = (part1(clocks[0], 0)?, part1(clocks[1], 1)?);
    let firsts = [
        BTreeMap::from([(ids[1], customer.1)]),
        BTreeMap::from([(ids[0], provider.1)]),
    ];
    let part2 = |clock: &mut Duration, own: usize, secret| {
        Parties::timed(clock, || dkg_frost::part2(secret, &firsts[own]))
    };
    let (provider, customer) = (
        part2(clocks[0], 0, provider.0)?,
        part2(clocks[1], 1, customer.0)?,
    );
    let sent = |packages: &BTreeMap<_, dkg_frost::round2::Package>, to: usize| {
        let package = packages.get(&ids[to]).cloned().ok_or("no package")?;
        Ok::<_, Failure>(BTreeMap::from([(ids[1 - to], package)]))
    };
    let (to_customer, to_provider) = (sent(&provider.1, 1)?, sent(&customer.1, 0)?);
    let (provider, public) = Parties::timed(clocks[0], || {
        dkg_frost::part3(&provider.0, &firsts[0], &to_provider)
    })?;
    let (customer, _) = Parties::timed(clocks[1], || {
        dkg_frost::part3(&customer.0, &firsts[1], &to_customer)
    })?;
    Ok(([provider, customer], public))
}

fn frost_sign(([provider, customer], public): &FrostKeys) -> Result<Parties, Failure> {
    let message = [7_u8; 32];
    let mut time = Parties::default();
    let (c_nonces, c_commitments) = Parties::timed(&mut time.customer, || {
        frost::round1::commit(customer.signing_share(), &mut OsRng)
    });
    let start = cpu::thread();
    let (p_nonces, p_commitments) = frost::round1::commit(provider.signing_share(), &mut OsRng);
    let commitments = BTreeMap::from([
        (*provider.identifier(), p_commitments),
        (*customer.identifier(), c_commitments),
    ]);
    let package = frost::SigningPackage::new(commitments, &message);
    let p_share = frost::round2::sign(&package, &p_nonces, provider)?;
    time.provider += cpu::since(start);
    let start = cpu::thread();
    let c_share = frost::round2::sign(&package, &c_nonces, customer)?;
    let signature_shares = BTreeMap::from([
        (*provider.identifier(), p_share),
        (*customer.identifier(), c_share),
    ]);
    frost::aggregate(&package, &signature_shares, public)?;
    time.customer += cpu::since(start);
    Ok(time)
}
