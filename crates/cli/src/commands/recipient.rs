//! `halfkey recipient …`: keys that exports may go to.

use halfkey::age::Recipient as Key;
use halfkey::{ExportRecipient, RecipientsReply};
use serde_json::{Value, json};

use super::wallet::client;
use crate::args::Recipient;
use crate::context::DataDir;
use crate::exit_code::Failure;
use crate::output::Output;

pub(crate) async fn run(data: &DataDir, command: Recipient, output: Output) -> Result<(), Failure> {
    match command {
        Recipient::Add {
            recipient,
            name,
            provider,
        } => {
            let key = parse(&recipient)?;
            let client = client(data, &provider).await?;
            let added = client.add_export_recipient(&key, &name).await?;
            output.result(&describe(&added), || {
                format!(
                    "{}\n  exports may go to it from {} on",
                    line(&added),
                    added.usable_at
                )
            });
        }
        Recipient::List { provider } => {
            let reply = client(data, &provider).await?.export_recipients().await?;
            output.result(&described(&reply), || table(&reply));
        }
        Recipient::Remove {
            recipient,
            provider,
        } => {
            let key = parse(&recipient)?;
            let client = client(data, &provider).await?;
            let removed = client.remove_export_recipient(&key).await?;
            output.result(&describe(&removed), || {
                format!("removed {}", line(&removed))
            });
        }
    }
    Ok(())
}

pub(super) fn parse(text: &str) -> Result<Key, Failure> {
    text.parse()
        .map_err(|error| Failure::input(format!("{error}")))
}

pub(super) fn describe(one: &ExportRecipient) -> Value {
    json!({
        "recipient": one.recipient,
        "name": one.name,
        "added_at": one.added_at.to_string(),
        "usable_at": one.usable_at.to_string(),
    })
}

fn described(reply: &RecipientsReply) -> Value {
    let recipients: Vec<_> = reply.recipients.iter().map(describe).collect();
    json!({ "recipients": recipients, "is_required": reply.is_required })
}

pub(super) fn line(one: &ExportRecipient) -> String {
    format!("{}  {}", one.recipient, one.name)
}

fn table(reply: &RecipientsReply) -> String {
    let mut lines: Vec<_> = reply
        .recipients
        .iter()
        .map(|one| format!("{}  from {}", line(one), one.usable_at))
        .collect();
    lines.push(if reply.is_required {
        "every export has to name one of them".to_owned()
    } else {
        "no recipient is necessary: the first one makes it so".to_owned()
    });
    lines.join("\n")
}
