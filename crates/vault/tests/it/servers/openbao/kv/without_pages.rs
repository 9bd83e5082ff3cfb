//! Lists from a server that knows no pages, as HashiCorp Vault: the same server, behind a relay
//! that makes the parameters unknown to it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use halfkey_vault::conformance::records;
use halfkey_vault::store::kv::KvRecords;

use super::super::{Access, fresh};
use crate::support::environment;

/// Passes everything on to `upstream`, with the two parameters renamed; ends with the process.
fn relay(upstream: String) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(&upstream) else {
                break;
            };
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || pass(from, to, true));
            thread::spawn(move || pass(server, client, false));
        }
    });
    url
}

fn pass(mut from: TcpStream, mut to: TcpStream, rename: bool) {
    let mut buffer = vec![0; 65_536];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        let bytes = &mut buffer[..len];
        if rename {
            for parameter in [b"&limit=", b"&after="] {
                let found = bytes
                    .windows(parameter.len())
                    .position(|window| window == parameter);
                if let Some(at) = found {
                    bytes[at + 1..at + 6].copy_from_slice(b"other");
                }
            }
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _closed = to.shutdown(std::net::Shutdown::Write);
}

async fn make() -> (KvRecords, Access) {
    let mut access = Access::dev().await;
    let upstream = access.server.address.replace("http://", "");
    access.server.address = relay(upstream);
    let config = access.kv(&fresh("folder"));
    let records = KvRecords::open(&config, &environment()).await.unwrap();
    (records, access)
}

#[tokio::test]
async fn lists_are_sorted_and_paged() {
    let (store, _access) = make().await;
    records::lists_are_sorted_and_paged(&store).await;
}

#[tokio::test]
async fn prefixes_are_not_patterns() {
    let (store, _access) = make().await;
    records::prefixes_are_not_patterns(&store).await;
}

#[tokio::test]
async fn a_destroyed_record_is_gone() {
    let (store, _access) = make().await;
    records::a_destroyed_record_is_gone(&store).await;
}
