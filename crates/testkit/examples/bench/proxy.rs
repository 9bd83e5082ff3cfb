//! A TCP proxy on loopback that counts bytes each way.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::{Failure, cpu};

/// What went through so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) to_provider: AtomicU64,
    pub(crate) to_customer: AtomicU64,
    /// Turns of direction towards the customer: one per answered request on a connection that is
    /// used by one request at a time, so a round trip each.
    pub(crate) round_trips: AtomicU64,
}

impl Counts {
    pub(crate) fn snapshot(&self) -> [u64; 3] {
        [&self.to_provider, &self.to_customer, &self.round_trips]
            .map(|count| count.load(Ordering::SeqCst))
    }
}

/// A running proxy; it ends with the process.
pub(crate) struct Proxy {
    pub(crate) addr: SocketAddr,
    pub(crate) counts: Arc<Counts>,
    /// The one thread it runs on, so that its CPU can be told from that of the client beside it.
    pub(crate) thread: cpu::Tasks,
}

impl Proxy {
    /// Starts it in front of `upstream`, on a thread of its own.
    pub(crate) fn start(upstream: SocketAddr) -> Result<Self, Failure> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        let (sender, thread) = mpsc::channel();
        std::thread::spawn(move || -> Result<(), Failure> {
            sender.send(cpu::Tasks::this_thread())?;
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let serve = accept(listener, upstream, shared);
            Ok(runtime.enable_all().build()?.block_on(serve)?)
        });
        Ok(Self {
            addr,
            counts,
            thread: thread.recv()??,
        })
    }
}

async fn accept(
    listener: std::net::TcpListener,
    upstream: SocketAddr,
    counts: Arc<Counts>,
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (customer, _) = listener.accept().await?;
        tokio::spawn(relay(customer, upstream, Arc::clone(&counts)));
    }
}

async fn relay(customer: TcpStream, upstream: SocketAddr, counts: Arc<Counts>) {
    let Ok(provider) = TcpStream::connect(upstream).await else {
        return;
    };
    drop(customer.set_nodelay(true));
    drop(provider.set_nodelay(true));
    let (customer_read, customer_write) = customer.into_split();
    let (provider_read, provider_write) = provider.into_split();
    // Set while a request is under way: the first byte of its answer ends a round trip.
    let asked = Arc::new(AtomicU64::new(0));
    let up = copy(customer_read, provider_write, {
        let (counts, asked) = (Arc::clone(&counts), Arc::clone(&asked));
        move |bytes| {
            counts.to_provider.fetch_add(bytes, Ordering::SeqCst);
            asked.store(1, Ordering::SeqCst);
        }
    });
    let down = copy(provider_read, customer_write, move |bytes| {
        counts.to_customer.fetch_add(bytes, Ordering::SeqCst);
        counts
            .round_trips
            .fetch_add(asked.swap(0, Ordering::SeqCst), Ordering::SeqCst);
    });
    tokio::join!(up, down);
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: impl Fn(u64)) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length) = from.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        count(u64::try_from(bytes.len()).unwrap_or(0));
        if to.write_all(bytes).await.is_err() {
            break;
        }
    }
    drop(to.shutdown().await);
}
