//! Stands between the command and the provider, and keeps the session tokens it sees.

use std::collections::BTreeSet;
use std::io::{Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A relay on loopback that writes down what the provider says.
pub(crate) struct Tap {
    pub(crate) url: String,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    /// In front of the provider at `url`, for as long as the test runs.
    pub(crate) fn before(url: &str) -> Self {
        let provider = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let said = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&said);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&provider) else {
                    continue;
                };
                let (from_client, to_client) = (client.try_clone().unwrap(), client);
                let (from_server, to_server) = (server.try_clone().unwrap(), server);
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || relay(from_client, to_server, |_| ()));
                std::thread::spawn(move || {
                    relay(from_server, to_client, |bytes| {
                        kept.lock().unwrap().extend_from_slice(bytes);
                    });
                });
            }
        });
        Self { url, said }
    }

    /// The signatures of the session tokens that went by: what makes a token one.
    pub(crate) fn token_signatures(&self) -> BTreeSet<Vec<u8>> {
        let said = self.said.lock().unwrap();
        let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let words = said.split(|byte| !part(byte));
        let tokens = words.filter_map(|word| {
            let at = word.windows(3).position(|start| start == b"eyJ")?;
            let parts: Vec<_> = word[at..].split(|byte| *byte == b'.').collect();
            (parts.len() == 3).then(|| parts[2].to_vec())
        });
        tokens.collect()
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, mut seen: impl FnMut(&[u8])) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        // Before it is passed on: whoever has the answer finds it written down.
        seen(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Write));
}
