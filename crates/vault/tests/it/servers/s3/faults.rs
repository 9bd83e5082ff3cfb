//! Servers that hang, refuse, or talk nonsense: each is told apart, and none looks like damage or
//! like a record that is absent.

use halfkey_vault::store::s3::S3Records;
use halfkey_vault::{Error, Expect, GetRecord, ListRecords, PutRecord};

use super::config;
use super::script::{mark, refusal, reply, serve};
use crate::support::{environment, name};

/// A store whose opening went well and to which every later request is answered with `text`.
async fn answered_with(text: Option<String>) -> (S3Records, tempfile::TempDir) {
    let deadline_ms = if text.is_some() { 60_000 } else { 1000 };
    let endpoint = serve(move |method, path| match method {
        _ if !path.ends_with("/environment") => text.clone(),
        "GET" => Some(mark()),
        _ => Some(refusal("412 Precondition Failed", "PreconditionFailed")),
    });
    let (config, dir) = config(&endpoint, "p");
    let config = halfkey_vault::store::s3::S3Config {
        deadline_ms,
        ..config
    };
    (S3Records::open(&config, &environment()).await.unwrap(), dir)
}

/// Reading, writing and listing, each with its error.
async fn errors(text: Option<String>) -> [Error; 3] {
    let (store, _dir) = answered_with(text).await;
    let errors = [
        store.get(&name("a")).await.map(drop).unwrap_err(),
        store
            .put(&name("a"), b"x", Expect::Any)
            .await
            .map(drop)
            .unwrap_err(),
        store.list("", None, 10).await.map(drop).unwrap_err(),
    ];
    for error in &errors {
        let text = error.to_string();
        assert!(
            !text.contains("canary") && !text.contains("http://"),
            "{text}"
        );
    }
    errors
}

#[tokio::test]
async fn refusals_are_told_apart() {
    type Check = fn(&Error) -> bool;
    let rows: [(&str, &str, Check); 8] = [
        ("403 Forbidden", "AccessDenied", |error| {
            matches!(error, Error::Denied(_))
        }),
        ("400 Bad Request", "ExpiredToken", |error| {
            matches!(error, Error::Denied(_))
        }),
        ("503 Slow Down", "SlowDown", |error| {
            matches!(error, Error::Throttled(_))
        }),
        ("429 Too Many Requests", "x", |error| {
            matches!(error, Error::Throttled(_))
        }),
        (
            "500 Internal Server Error",
            "InternalError",
            Error::is_transient,
        ),
        ("507 Insufficient Storage", "XMinioStorageFull", |error| {
            matches!(error, Error::Full(_))
        }),
        ("404 Not Found", "NoSuchBucket", |error| {
            matches!(error, Error::NotFound(_))
        }),
        ("301 Moved Permanently", "PermanentRedirect", |error| {
            matches!(error, Error::Config(_))
        }),
    ];
    for (status, code, check) in rows {
        for error in errors(Some(refusal(status, code))).await {
            assert!(check(&error), "{status} {code}: {error:?}");
        }
    }
}

/// What is absent is absent by S3's own word only, not by a proxy's.
#[tokio::test]
async fn a_strangers_404_is_not_an_absent_record() {
    let stranger = reply("404 Not Found", "", "<html>canary</html>");
    for error in errors(Some(stranger)).await {
        assert!(matches!(error, Error::Backend { .. }), "{error:?}");
    }
    let (store, _dir) = answered_with(Some(refusal("404 Not Found", "NoSuchKey"))).await;
    assert!(store.get(&name("a")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_server_that_hangs_is_a_timeout() {
    for error in errors(None).await {
        assert!(matches!(error, Error::Timeout(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_reply_that_is_no_http_or_cut_short_is_temporary() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\netag: \"1\"\r\n\
               last-modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\ncut";
    for text in [
        "canary garbage\r\n\r\n",
        cut,
        "HTTP/1.1 200 OK\r\n\r\n<canary",
    ] {
        for error in errors(Some(text.to_owned())).await {
            assert!(error.is_transient(), "{text}: {error:?}");
        }
    }
}

#[tokio::test]
async fn nothing_listening_is_temporary() {
    let (config, _dir) = config("http://127.0.0.1:1", "p");
    let error = S3Records::open(&config, &environment()).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}

/// Two writers would overwrite each other there.
#[tokio::test]
async fn open_rejects_a_server_that_ignores_conditions() {
    for honoured in ["none", "if-none-match"] {
        let endpoint = serve(move |method, _| {
            if method == "GET" {
                return Some(mark());
            }
            let first = FIRST.with(|first| first.replace(false));
            if first && honoured == "if-none-match" {
                return Some(refusal("412 Precondition Failed", "PreconditionFailed"));
            }
            Some(reply("200 OK", "etag: \"0123\"\r\n", ""))
        });
        let (config, _dir) = config(&endpoint, "p");
        let error = S3Records::open(&config, &environment()).await.unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{error:?}");
        let ignored = if honoured == "none" {
            "If-None-Match"
        } else {
            "If-Match"
        };
        assert!(error.to_string().contains(ignored), "{error}");
    }
}

std::thread_local! {
    /// Each scripted server is a thread of its own.
    static FIRST: std::cell::Cell<bool> = const { std::cell::Cell::new(true) };
}

/// It may read, and is not asked to prove more.
#[tokio::test]
async fn open_takes_credentials_that_may_only_read() {
    let endpoint = serve(|method, _| match method {
        "GET" => Some(mark()),
        _ => Some(refusal("403 Forbidden", "AccessDenied")),
    });
    let (config, _dir) = config(&endpoint, "p");
    let store = S3Records::open(&config, &environment()).await.unwrap();
    let put = store.put(&name("a"), b"x", Expect::Any).await;
    assert!(put.is_err());
}

#[tokio::test]
async fn a_bucket_that_lists_out_of_order_is_refused() {
    let entry = |key: &str| {
        format!(
            "<Contents><Key>p/records/_{key}</Key><Size>50</Size>\
             <LastModified>2015-10-21T07:28:00.000Z</LastModified></Contents>"
        )
    };
    for (keys, fits) in [(["a", "b"], true), (["b", "a"], false), (["a", "a"], false)] {
        let body = format!(
            "<ListBucketResult>{}{}</ListBucketResult>",
            entry(keys[0]),
            entry(keys[1])
        );
        let (store, _dir) = answered_with(Some(reply("200 OK", "", &body))).await;
        let listed = store.list("", None, 10).await;
        assert_eq!(listed.is_ok(), fits, "{keys:?}: {listed:?}");
    }
}
