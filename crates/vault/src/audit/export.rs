//! An entry in the forms other systems read: JSON lines, syslog (RFC 5424), OpenTelemetry logs.

use serde_json::{Value, json};

use super::AuditOutcome;
use super::reader::Entry;

/// One JSON object, without a line end.
pub fn json_line(entry: &Entry) -> String {
    object(entry).to_string()
}

fn object(entry: &Entry) -> Value {
    let (event, position) = (&entry.event, &entry.position);
    json!({
        "at": event.at.to_string(),
        "node": entry.node,
        "actor": event.actor,
        "action": event.action,
        "purpose": event.purpose,
        "environment": event.environment,
        "wallet": event.wallet,
        "record": event.record,
        "request_id": event.request_id,
        "outcome": event.outcome.as_str(),
        "detail": event.detail,
        "chain": hex::encode(position.chain),
        "sequence": position.sequence,
        "head": hex::encode(position.head),
    })
}

/// Security messages (facility 10, "authpriv"); a refusal is a warning, anything else a notice.
const FACILITY: u8 = 10;

/// One RFC 5424 message, without framing or line end. The event stands in its structured data; the
/// free text is the action and its outcome.
pub fn syslog(entry: &Entry, host: &str) -> String {
    let event = &entry.event;
    let severity: u8 = match event.outcome {
        AuditOutcome::Refused => 4,
        AuditOutcome::Granted => 5,
    };
    let priority = FACILITY.saturating_mul(8).saturating_add(severity);
    let sequence = entry.position.sequence.to_string();
    let (chain, head) = (
        hex::encode(entry.position.chain),
        hex::encode(entry.position.head),
    );
    let fields = [
        ("node", entry.node.as_str()),
        ("actor", &event.actor),
        ("action", &event.action),
        ("purpose", &event.purpose),
        ("environment", &event.environment),
        ("wallet", &event.wallet),
        ("record", &event.record),
        ("request_id", &event.request_id),
        ("outcome", event.outcome.as_str()),
        ("detail", &event.detail),
        ("chain", &chain),
        ("sequence", &sequence),
        ("head", &head),
    ];
    let mut data = "halfkey@32473".to_owned();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        data.extend([" ", name, "=\"", &escape(value), "\""]);
    }
    let (at, host) = (event.at.to_string(), header(host));
    let (action, outcome) = (header(&event.action), event.outcome.as_str());
    format!("<{priority}>1 {at} {host} halfkey - audit [{data}] {action} {outcome}")
}

/// In a parameter's value `"`, `\` and `]` are escaped (RFC 5424, 6.3.3); line ends would end the
/// message for many readers.
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '"' | '\\' | ']' => {
                out.push('\\');
                out.push(character);
            }
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

/// A header field: printable ASCII without blanks, or `-`.
fn header(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(char::is_ascii_graphic)
        .take(255)
        .collect();
    if kept.is_empty() {
        "-".to_owned()
    } else {
        kept
    }
}

/// A request body for OTLP/HTTP (`/v1/logs`, JSON encoding) with these entries.
pub fn otlp(entries: &[Entry]) -> Value {
    let records: Vec<_> = entries.iter().map(log_record).collect();
    json!({
        "resourceLogs": [{
            "resource": { "attributes": [attribute("service.name", "halfkey")] },
            "scopeLogs": [{ "scope": { "name": "halfkey.audit" }, "logRecords": records }],
        }],
    })
}

fn log_record(entry: &Entry) -> Value {
    let event = &entry.event;
    let (number, text) = match event.outcome {
        AuditOutcome::Refused => (13, "WARN"),
        AuditOutcome::Granted => (9, "INFO"),
    };
    let nanos = i128::from(event.at.0).saturating_mul(1_000_000);
    let fields = object(entry);
    let attributes = fields.as_object().into_iter().flatten();
    let attributes = attributes
        .filter(|(name, _)| *name != "at")
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            attribute(&format!("halfkey.{name}"), &text)
        });
    json!({
        "timeUnixNano": nanos.to_string(),
        "severityNumber": number,
        "severityText": text,
        "body": { "stringValue": format!("{} {}", event.action, event.outcome.as_str()) },
        "attributes": attributes.collect::<Vec<_>>(),
    })
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AuditPosition;
    use crate::conformance::sample::event;

    fn entry() -> Entry {
        let mut event = event("1");
        event.detail = "a \"b\" ] \\ c\nd".to_owned();
        event.outcome = AuditOutcome::Refused;
        Entry {
            position: AuditPosition {
                chain: [1; 16],
                sequence: 7,
                head: [2; 32],
            },
            node: "node-1".to_owned(),
            event,
        }
    }

    #[test]
    fn a_syslog_message_is_one_line_with_its_data_escaped() {
        let line = syslog(&entry(), "host name");
        assert!(line.starts_with("<84>1 "), "{line}");
        assert!(!line.contains('\n'));
        assert!(line.contains(r#"detail="a \"b\" \] \\ c d""#), "{line}");
        assert!(line.contains(" hostname halfkey - audit [halfkey@32473 node="));
        assert!(line.contains("sequence=\"7\""));
    }

    #[test]
    fn a_json_line_is_one_line_with_every_field() {
        let line = json_line(&entry());
        assert!(!line.contains('\n'));
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["detail"], "a \"b\" ] \\ c\nd");
        assert_eq!(value["sequence"], 7);
        assert_eq!(value.as_object().unwrap().len(), 14);
    }

    #[test]
    fn an_otlp_body_has_one_record_per_entry() {
        let body = otlp(&[entry(), entry()]);
        let records = &body["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
        assert_eq!(records.as_array().unwrap().len(), 2);
        assert_eq!(records[0]["severityText"], "WARN");
        let nanos: i128 = records[0]["timeUnixNano"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(nanos, i128::from(entry().event.at.0) * 1_000_000);
    }
}
