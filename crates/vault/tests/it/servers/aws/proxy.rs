//! A server in between: it keeps every byte it sees, and answers some operations by itself.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What becomes of a request.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// This status and body.
    Reply(u16, String),
    /// As `Reply`, but the body ends half-way.
    Cut(u16, String),
    /// Bytes that are no HTTP.
    Garbage,
    /// The connection closes without a word.
    Closed,
    /// Nothing, with the connection open.
    Hang,
    /// A redirect to here.
    Redirect(String),
}

#[derive(Debug, Default)]
struct State {
    seen: Vec<u8>,
    asked: Vec<String>,
    rules: Vec<(&'static str, Answer)>,
}

/// Ends with the test's runtime.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    port: u16,
    upstream: Option<u16>,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// In front of `upstream` (a loopback port), or of nothing.
    pub(super) async fn start(upstream: Option<u16>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            upstream,
            state: Arc::default(),
        };
        let serving = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(client).await });
            }
        });
        proxy
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on `operation` (as in `Encrypt`) is answered so.
    pub(super) fn answer(&self, operation: &'static str, answer: Answer) {
        let mut state = self.state.lock().unwrap();
        state.rules.retain(|rule| rule.0 != operation);
        state.rules.push((operation, answer));
    }

    /// Everything in both directions.
    pub(super) fn seen(&self) -> Vec<u8> {
        self.state.lock().unwrap().seen.clone()
    }

    /// How often `operation` was asked for.
    pub(super) fn count(&self, operation: &str) -> usize {
        let asked = &self.state.lock().unwrap().asked;
        asked.iter().filter(|asked| *asked == operation).count()
    }

    async fn serve(&self, mut client: TcpStream) {
        let Some(request) = read_request(&mut client).await else {
            return;
        };
        let operation = operation(&request);
        let rule = {
            let mut state = self.state.lock().unwrap();
            state.seen.extend_from_slice(&request);
            state.asked.push(operation.clone());
            let rules = state.rules.iter();
            rules
                .filter(|rule| rule.0 == operation)
                .map(|rule| rule.1.clone())
                .next()
        };
        let reply = match rule {
            Some(Answer::Hang) => core::future::pending().await,
            Some(answer) => render(&answer),
            None => forward(self.upstream.unwrap(), &request).await,
        };
        self.state.lock().unwrap().seen.extend_from_slice(&reply);
        let _sent = client.write_all(&reply).await;
    }
}

fn render(answer: &Answer) -> Vec<u8> {
    // The last one is how long a token of EC2's metadata service lives.
    let head = |status: u16, len: usize| {
        format!(
            "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.1\
             \r\ncontent-length: {len}\r\nx-aws-ec2-metadata-token-ttl-seconds: 600\r\n"
        )
    };
    match answer {
        Answer::Reply(status, body) => {
            format!("{}\r\n{body}", head(*status, body.len())).into_bytes()
        }
        Answer::Cut(status, body) => {
            format!("{}\r\n{body}", head(*status, body.len() * 2)).into_bytes()
        }
        Answer::Redirect(to) => format!("{}location: {to}\r\n\r\n", head(302, 0)).into_bytes(),
        Answer::Garbage => b"\x00\x01 this is no HTTP \xFF\r\n\r\n".to_vec(),
        Answer::Closed | Answer::Hang => Vec::new(),
    }
}

/// A whole request: head and body.
async fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        if let Some(end) = end_of_head(&request)
            && request.len() >= end + content_length(&request[..end])
        {
            return Some(request);
        }
        if client.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(at + 4)
}

fn header(head: &[u8], name: &str) -> Option<String> {
    let head = String::from_utf8_lossy(head).into_owned();
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().to_owned())
    })
}

fn content_length(head: &[u8]) -> usize {
    header(head, "content-length").map_or(0, |text| text.parse().unwrap())
}

/// `Encrypt` of `x-amz-target: TrentService.Encrypt`, else the path.
fn operation(request: &[u8]) -> String {
    if let Some(target) = header(request, "x-amz-target") {
        return target.rsplit('.').next().unwrap().to_owned();
    }
    let text = String::from_utf8_lossy(request).into_owned();
    text.split(' ').nth(1).unwrap().to_owned()
}

async fn forward(upstream: u16, request: &[u8]) -> Vec<u8> {
    let mut server = TcpStream::connect(("127.0.0.1", upstream)).await.unwrap();
    let end = end_of_head(request).unwrap() - 2;
    server.write_all(&request[..end]).await.unwrap();
    server.write_all(b"connection: close\r\n").await.unwrap();
    server.write_all(&request[end..]).await.unwrap();
    let mut reply = Vec::new();
    server.read_to_end(&mut reply).await.unwrap();
    reply
}
