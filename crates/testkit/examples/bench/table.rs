//! The rows, as text or as JSON.

use std::time::Duration;

/// One measured figure.
struct Row {
    group: &'static str,
    name: String,
    value: f64,
    unit: &'static str,
    note: String,
}

/// Rows in the order they were measured.
#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    pub(crate) fn add(
        &mut self,
        group: &'static str,
        name: &str,
        value: f64,
        unit: &'static str,
        note: &str,
    ) {
        self.0.push(Row {
            group,
            name: name.to_owned(),
            value,
            unit,
            note: note.to_owned(),
        });
    }

    pub(crate) fn time(&mut self, group: &'static str, name: &str, value: Duration, note: &str) {
        self.add(group, name, value.as_secs_f64() * 1e3, "ms CPU", note);
    }

    /// A figure with a goal: the note says whether it holds.
    pub(crate) fn goal(&mut self, name: &str, value: f64, unit: &'static str, most: f64) {
        let verdict = if value <= most {
            "holds"
        } else {
            "DOES NOT HOLD"
        };
        self.add(
            "goals",
            name,
            value,
            unit,
            &format!("goal ≤ {most} {unit}: {verdict}"),
        );
    }

    pub(crate) fn print(&self, json: bool) {
        if json {
            let rows: Vec<_> = self
                .0
                .iter()
                .map(|row| {
                    serde_json::json!({
                        "group": row.group, "name": row.name, "value": row.value,
                        "unit": row.unit, "note": row.note,
                    })
                })
                .collect();
            println!("{}", serde_json::Value::from(rows));
            return;
        }
        let mut group = "";
        for row in &self.0 {
            if row.group != group {
                group = row.group;
                println!("\n{group}");
            }
            println!(
                "  {:<44} {:>12.3} {:<7} {}",
                row.name, row.value, row.unit, row.note
            );
        }
    }
}
