//! A wire that is cut in the midst of a write, at any byte: the record is there whole or not at
//! all, the caller hears a temporary failure, and the same write goes through afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use halfkey_testkit::seeded;
use halfkey_vault::{Error, Expect, GetRecord, RecordStore};
use rand_core::RngCore as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::name;

/// No cut.
const WHOLE: usize = usize::MAX;

/// Passes everything on to a port of this machine, until it cuts.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    port: u16,
    upstream: u16,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    /// How many of the client's bytes still pass.
    left: AtomicUsize,
    /// How many have.
    passed: AtomicUsize,
    /// When so many have, the server's next bytes are the end.
    cuts_replies_at: AtomicUsize,
}

impl Wire {
    pub(super) async fn start(upstream: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let state = State {
            left: AtomicUsize::new(WHOLE),
            passed: AtomicUsize::new(0),
            cuts_replies_at: AtomicUsize::new(WHOLE),
        };
        let wire = Self {
            port: listener.local_addr().unwrap().port(),
            upstream,
            state: Arc::new(state),
        };
        let serving = wire.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(client).await });
            }
        });
        wire
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    fn passed(&self) -> usize {
        self.state.passed.load(Ordering::SeqCst)
    }

    fn cut_after(&self, bytes: usize) {
        self.state.left.store(bytes, Ordering::SeqCst);
    }

    /// Once `bytes` more have passed; what the library says to the server on its own is less.
    fn cut_replies_after(&self, bytes: usize) {
        let at = self.passed().saturating_add(bytes);
        self.state.cuts_replies_at.store(at, Ordering::SeqCst);
    }

    /// Until one side ends or the wire is cut; then both are closed.
    async fn serve(&self, mut client: TcpStream) {
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", self.upstream)).await else {
            return;
        };
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let up = async {
            let mut buffer = vec![0; 16 << 10];
            while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
                let passes = self.take(read);
                let sent = to_server.write_all(&buffer[..passes]).await;
                if sent.is_err() || passes < read {
                    return;
                }
            }
        };
        let down = async {
            let mut buffer = vec![0; 16 << 10];
            while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                let is_cut = self.passed() >= self.state.cuts_replies_at.load(Ordering::SeqCst);
                if is_cut || to_client.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = up => {}
            () = down => {}
        }
    }

    /// How many of `wanted` bytes pass.
    fn take(&self, wanted: usize) -> usize {
        let left = self.state.left.load(Ordering::SeqCst);
        let passes = wanted.min(left);
        if left != WHOLE {
            self.state.left.store(left - passes, Ordering::SeqCst);
        }
        self.state.passed.fetch_add(passes, Ordering::SeqCst);
        passes
    }
}

/// Cuts writes of `store`, which is reached over `wire`, and looks over `direct`.
pub(super) async fn cut_everywhere(store: &dyn RecordStore, direct: &dyn GetRecord, wire: &Wire) {
    const SEED: u64 = 7;
    let (mut random, record) = (seeded(SEED), vec![0xA5; 2000]);
    // A write takes more than its record, so each of these is in the midst of one.
    let len = record.len();
    let (mut cuts, mut there) = (0, 0);
    for number in 0..24 {
        let at = name(&format!("c{number:02}"));
        let after = match number {
            0 => 0,
            1 => len - 1,
            _ => usize::try_from(random.next_u32()).unwrap() % len,
        };
        wire.cut_after(after);
        let cut = store.put(&at, &record, Expect::Absent).await;
        wire.cut_after(WHOLE);
        let error = cut.unwrap_err();
        assert!(error.is_transient(), "seed {SEED}, byte {after}: {error:?}");
        let found = direct.get(&at).await.unwrap();
        assert!(found.is_none(), "seed {SEED}, byte {after}: {found:?}");
        must_go_through(store, direct, &at, &record).await;
        cuts += 1;
    }
    for number in 0..8 {
        let at = name(&format!("r{number:02}"));
        wire.cut_replies_after(record.len());
        let cut = store.put(&at, &record, Expect::Absent).await;
        wire.cut_replies_after(WHOLE);
        let error = cut.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        // The reply came, so it was done; whoever repeats it hears that it is there.
        let found = direct.get(&at).await.unwrap();
        there += u32::from(found.is_some_and(|found| found.value == record));
        must_go_through(store, direct, &at, &record).await;
    }
    assert_eq!(
        (cuts, there),
        (24, 8),
        "writes cut; whose reply was cut, that are there"
    );
}

/// The write again, past connections that are dead and say so once each.
async fn must_go_through(
    store: &dyn RecordStore,
    direct: &dyn GetRecord,
    at: &halfkey_vault::RecordName,
    record: &[u8],
) {
    for _ in 0..5 {
        match store.put(at, record, Expect::Absent).await {
            Ok(_) | Err(Error::Conflict(_)) => {
                let found = direct.get(at).await.unwrap().unwrap();
                assert!(found.value == record);
                return;
            }
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    }
    panic!("{at} does not go through");
}
