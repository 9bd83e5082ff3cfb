//! As much of HTTP/1.1 as the clients of one test need.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

/// One request.
pub(super) struct Request {
    pub(super) method: String,
    /// Without the leading `/v1/` and the query.
    pub(super) path: String,
    query: Vec<(String, String)>,
    pub(super) bearer: Option<String>,
    body: Vec<u8>,
    /// All of it, as it arrived.
    pub(super) raw: Vec<u8>,
}

impl Request {
    /// A parameter of the query, or nothing.
    pub(super) fn query(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    /// The body, or null.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What is sent back.
pub(super) enum Reply {
    /// A status and a body.
    Whole(u16, Vec<u8>),
    /// The same, but the connection ends before the body does.
    Cut(u16, Vec<u8>),
    /// Nothing, until the caller gives up.
    Never,
}

/// Answers request after request until the caller closes the connection.
pub(super) fn serve(stream: &TcpStream, answer: impl Fn(&Request) -> Reply) {
    let mut reader = BufReader::new(stream);
    while let Ok(Some(request)) = read(&mut reader) {
        let written = match answer(&request) {
            Reply::Whole(status, body) => write(stream, status, body.len(), &body),
            Reply::Cut(status, body) => {
                let half = body.len() / 2;
                let _sent = write(stream, status, body.len(), &body[..half]);
                return;
            }
            Reply::Never => {
                let _closed = reader.read(&mut [0]);
                return;
            }
        };
        if written.is_err() {
            return;
        }
    }
}

fn write(mut stream: &TcpStream, status: u16, length: usize, body: &[u8]) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat())
}

/// `None` at the end of the connection.
fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut raw = Vec::new();
    let mut line = || -> io::Result<String> {
        let from = raw.len();
        reader.read_until(b'\n', &mut raw)?;
        Ok(String::from_utf8_lossy(&raw[from..]).trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let (mut length, mut bearer) = (0, None);
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "authorization" => bearer = value.trim().strip_prefix("Bearer ").map(str::to_owned),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    raw.extend_from_slice(&body);
    let url = reqwest::Url::parse("http://x/")
        .and_then(|base| base.join(&target))
        .unwrap();
    Ok(Some(Request {
        method,
        path: url.path().strip_prefix("/v1/").unwrap_or("").to_owned(),
        query: url.query_pairs().into_owned().collect(),
        bearer,
        body,
        raw,
    }))
}
