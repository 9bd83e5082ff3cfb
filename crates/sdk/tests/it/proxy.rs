//! A network between the two halves that remembers everything and loses what it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::http::{Request, read_request};

pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    seen: Vec<Request>,
    lose: Option<Lose>,
    lost: usize,
    silent: bool,
    /// What the n-th reply from now is replaced with.
    forge: Option<(usize, Vec<u8>)>,
    /// Whether that request reaches the provider.
    refuses: bool,
    /// What replies to requests for this path are replaced with.
    replay: Option<(&'static str, Vec<u8>)>,
    /// Every reply, and to which path it was.
    replies: Vec<(String, Vec<u8>)>,
}

#[derive(Clone, Copy)]
struct Lose {
    /// Counted from the order, from 0.
    nth: usize,
    /// How many in a row.
    count: usize,
    /// Requests since the order.
    passed: usize,
}

impl Proxy {
    pub(crate) async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, upstream, Arc::clone(&shared)));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on the reply to the n-th request (from 0) is lost after the provider has given it.
    pub(crate) fn lose_reply(&self, nth: usize) {
        self.lose_replies(nth, 1);
    }

    pub(crate) fn lose_replies(&self, nth: usize, count: usize) {
        let mut state = self.state.lock().unwrap();
        state.lose = Some(Lose {
            nth,
            count,
            passed: 0,
        });
        state.lost = 0;
    }

    /// How many replies were lost since the order; nothing more is lost.
    pub(crate) fn stop_losing(&self) -> usize {
        let mut state = self.state.lock().unwrap();
        state.lose = None;
        state.lost
    }

    /// From now on requests are taken and never answered.
    pub(crate) fn be_silent(&self) {
        self.state.lock().unwrap().silent = true;
    }

    /// The reply to the n-th request from now (from 0) is replaced by this one, after the provider
    /// has given its own.
    pub(crate) fn forge_reply(&self, nth: usize, status: &str, json: &str) {
        let length = json.len();
        let reply = format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{json}"
        );
        self.state.lock().unwrap().forge = Some((nth, reply.into_bytes()));
    }

    /// The same, but the provider never hears of that request.
    pub(crate) fn refuse_request(&self, nth: usize, status: &str, json: &str) {
        self.forge_reply(nth, status, json);
        self.state.lock().unwrap().refuses = true;
    }

    /// From now on requests whose path ends so are not carried on: this is what they get.
    pub(crate) fn replay(&self, path: &'static str, reply: Vec<u8>) {
        self.state.lock().unwrap().replay = Some((path, reply));
    }

    pub(crate) fn stop_replaying(&self) {
        self.state.lock().unwrap().replay = None;
    }

    /// The last reply to a request whose path ended so, as it was.
    pub(crate) fn last_reply(&self, path: &str) -> Vec<u8> {
        let state = self.state.lock().unwrap();
        let mut replies = state.replies.iter().rev();
        let found = replies.find(|(asked, _)| asked.ends_with(path));
        found.unwrap().1.clone()
    }

    pub(crate) fn take_seen(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }
}

async fn carry(mut client: TcpStream, upstream: SocketAddr, state: Arc<Mutex<State>>) {
    let Some(request) = read_request(&mut client).await else {
        return;
    };
    let bytes = request.to_bytes();
    let path = request.path.clone();
    let (silent, lost, forged, refused) = {
        let mut state = state.lock().unwrap();
        let mut lost = false;
        if let Some(lose) = &mut state.lose {
            lost = (lose.nth..lose.nth + lose.count).contains(&lose.passed);
            lose.passed += 1;
        }
        state.lost += usize::from(lost);
        state.seen.push(request);
        let forged = match state.forge.take() {
            Some((0, reply)) => Some(reply),
            Some((nth, reply)) => {
                state.forge = Some((nth - 1, reply));
                None
            }
            None => None,
        };
        let replayed = state.replay.clone();
        let replayed = replayed.filter(|(wanted, _)| path.ends_with(wanted));
        let refused =
            replayed.is_some() || (forged.is_some() && std::mem::take(&mut state.refuses));
        let forged = replayed.map(|(_, reply)| reply).or(forged);
        (state.silent, lost, forged, refused)
    };
    if silent {
        // Until the client gives up.
        let _ended = client.read(&mut [0; 1]).await;
        return;
    }
    let mut reply = Vec::new();
    if !refused {
        let mut server = TcpStream::connect(upstream).await.unwrap();
        server.write_all(&bytes).await.unwrap();
        server.read_to_end(&mut reply).await.unwrap();
    }
    let reply = forged.unwrap_or(reply);
    let told = (path, reply.clone());
    state.lock().unwrap().replies.push(told);
    if !lost && client.write_all(&reply).await.is_ok() {
        let _closed = client.shutdown().await;
    }
}
