//! Options of `serve` that the operator must get right.

use crate::support::{Home, Provider};

const USAGE: i32 = 2;
const NOT_FOUND: i32 = 4;

#[test]
fn blind_signing_names_its_environments() {
    let home = Home::initialised();
    let serve = ["--json", "serve", "--listen", "127.0.0.1:0"];
    let refused = |more: &[&str], exit| {
        let output = home.run(&[&serve[..], more].concat());
        assert_eq!(output.status.code(), Some(exit), "{output:?}");
    };
    refused(&["--allow-blind"], USAGE);
    refused(&["--allow-blind", "nowhere"], NOT_FOUND);

    let provider = home.serve();
    assert_eq!(provider.started["allow_blind"], serde_json::json!([]));
    let environment = provider.started["environment"].as_str().unwrap().to_owned();
    provider.stop();
    let allowed = [&serve[..], &["--allow-blind", &environment]].concat();
    let provider = Provider::start(home.command(&allowed));
    let expected = serde_json::json!([environment]);
    assert_eq!(provider.started["allow_blind"], expected);
}
