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

    /// `ExportLogsServiceRequest` of opentelemetry-proto 1.x in its JSON encoding, as far as it is
    /// used: any field that is not one of the protocol's fails to parse.
    mod wire {
        use serde::Deserialize;

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub(super) struct Request {
            pub(super) resource_logs: Vec<ResourceLogs>,
        }

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub(super) struct ResourceLogs {
            pub(super) resource: Resource,
            pub(super) scope_logs: Vec<ScopeLogs>,
        }

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct Resource {
            pub(super) attributes: Vec<KeyValue>,
        }

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub(super) struct ScopeLogs {
            pub(super) scope: Scope,
            pub(super) log_records: Vec<LogRecord>,
        }

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct Scope {
            pub(super) name: String,
        }

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub(super) struct LogRecord {
            /// 64 bits are text in this encoding.
            pub(super) time_unix_nano: String,
            pub(super) severity_number: u8,
            pub(super) severity_text: String,
            pub(super) body: AnyValue,
            pub(super) attributes: Vec<KeyValue>,
        }

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct KeyValue {
            pub(super) key: String,
            pub(super) value: AnyValue,
        }

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub(super) struct AnyValue {
            pub(super) string_value: String,
        }
    }

    #[test]
    fn an_otlp_body_parses_by_the_protocols_own_fields() {
        let body = otlp(&[entry()]).to_string();
        let request: wire::Request = serde_json::from_str(&body).unwrap();
        let [logs] = &request.resource_logs[..] else {
            panic!("{body}")
        };
        let service = &logs.resource.attributes[0];
        assert_eq!(
            (&*service.key, &*service.value.string_value),
            ("service.name", "halfkey")
        );
        assert_eq!(logs.scope_logs[0].scope.name, "halfkey.audit");
        let [record] = &logs.scope_logs[0].log_records[..] else {
            panic!("{body}")
        };
        let nanos: u64 = record.time_unix_nano.parse().unwrap();
        assert_eq!(nanos % 1_000_000, 0);
        // SEVERITY_NUMBER_WARN is 13 to 16.
        assert_eq!(
            (record.severity_number, &*record.severity_text),
            (13, "WARN")
        );
        assert!(record.body.string_value.ends_with("refused"));
        let find = |key: &str| {
            let mut all = record.attributes.iter();
            all.find(|one| one.key == key)
                .map(|one| &*one.value.string_value)
        };
        assert_eq!(find("halfkey.sequence"), Some("7"));
        assert_eq!(find("halfkey.detail"), Some("a \"b\" ] \\ c\nd"));
    }
}
