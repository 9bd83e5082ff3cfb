//! The rows, as text or as JSON.

use std::time::Duration;

use crate::Failure;

/// The group of the figures that must hold; printed last.
const GOALS: &str = "goals";

/// One measured figure.
struct Row {
    group: String,
    name: String,
    value: f64,
    unit: &'static str,
    note: String,
}

/// Rows in the order they were measured.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    /// How many goals do not hold.
    missed: usize,
}

impl Table {
    pub(crate) fn add(
        &mut self,
        group: &str,
        name: &str,
        value: f64,
        unit: &'static str,
        note: &str,
    ) {
        self.rows.push(Row {
            group: group.to_owned(),
            name: name.to_owned(),
            value,
            unit,
            note: note.to_owned(),
        });
    }

    pub(crate) fn time(&mut self, group: &str, name: &str, value: Duration, note: &str) {
        self.add(group, name, value.as_secs_f64() * 1e3, "ms CPU", note);
    }

    /// How many times `whole` is of `part`; nothing to hold.
    pub(crate) fn ratio(&mut self, group: &str, name: &str, whole: Duration, part: Duration) {
        self.add(group, name, ratio(whole, part), "x", "");
    }

    /// A figure that may be `most` at the most: the note says whether it holds.
    pub(crate) fn at_most(&mut self, name: &str, value: f64, unit: &'static str, most: f64) {
        self.goal(
            name,
            value,
            unit,
            &format!("≤ {most} {unit}"),
            value <= most,
        );
    }

    /// A figure that must be `least` at the least.
    pub(crate) fn at_least(&mut self, name: &str, value: f64, unit: &'static str, least: f64) {
        self.goal(
            name,
            value,
            unit,
            &format!("≥ {least} {unit}"),
            value >= least,
        );
    }

    /// A count that must be this one.
    pub(crate) fn exactly(&mut self, name: &str, count: u32, wanted: u32) {
        let goal = format!("= {wanted}");
        self.goal(name, count.into(), "", &goal, count == wanted);
    }

    fn goal(&mut self, name: &str, value: f64, unit: &'static str, goal: &str, holds: bool) {
        let verdict = if holds { "holds" } else { "DOES NOT HOLD" };
        self.missed += usize::from(!holds);
        self.add(GOALS, name, value, unit, &format!("goal {goal}: {verdict}"));
    }

    /// Prints every row; an error when a goal does not hold.
    pub(crate) fn close(&self, json: bool) -> Result<(), Failure> {
        self.print(json);
        match self.missed {
            0 => Ok(()),
            missed => Err(format!("{missed} goals do not hold").into()),
        }
    }

    fn print(&self, json: bool) {
        if json {
            let rows: Vec<_> = self
                .rows
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
        let is_goal = |row: &&Row| row.group == GOALS;
        let rows = self.rows.iter().filter(|row| !is_goal(row));
        for row in rows.chain(self.rows.iter().filter(is_goal)) {
            if row.group != group {
                group = &row.group;
                println!("\n{group}");
            }
            println!(
                "  {:<56} {:>12.4} {:<7} {}",
                row.name, row.value, row.unit, row.note
            );
        }
    }
}

/// `whole / part`.
pub(crate) fn ratio(whole: Duration, part: Duration) -> f64 {
    whole.as_secs_f64() / part.as_secs_f64()
}
