//! Shreds retired generations once no copy of the customer's half can need them any more (custody
//! rule 9).

use crate::app::App;
use crate::db::sql;
use crate::db::{Entry, Tx, generations};

/// Generations per transaction: others wait for their turn at the database meanwhile.
const BATCH: u32 = 64;

/// Shreds all that is due now. A failure is logged; the next sweep finds the same.
pub(crate) async fn run(app: &App) {
    loop {
        match batch(app).await {
            Ok(0) => return,
            Ok(shredded) => tracing::info!(shredded, "generations beyond the horizon shredded"),
            Err(error) => {
                tracing::error!(%error, "generations beyond the horizon are not shredded");
                return;
            }
        }
    }
}

/// Returns how many went.
async fn batch(app: &App) -> Result<usize, sql::Error> {
    let mut conn = app.db.read().acquire().await?;
    let found = generations::due(&mut conn, app.now(), 1).await?;
    drop(conn);
    if found.is_empty() {
        return Ok(0);
    }
    let mut tx = app.db.begin().await?;
    let now = tx.now();
    // Once more, under the transaction: a recovery may have come in between.
    let due = generations::due(tx.conn(), now, BATCH).await?;
    for one in &due {
        shred(&mut tx, one).await?;
    }
    halfkey_core::crash_point("sweep.before-commit");
    tx.commit().await?;
    halfkey_core::crash_point("sweep.after-commit");
    Ok(due.len())
}

async fn shred(tx: &mut Tx, due: &generations::Due) -> Result<(), sql::Error> {
    generations::shred(tx, due).await?;
    let entry = Entry::new(&due.environment, "generation.shredded", "provider")
        .wallet(due.wallet)
        .attempt(due.attempt)
        .detail(serde_json::json!({
            "generation": due.generation,
            "endedAt": due.ended_at.to_string(),
            "horizonMs": due.horizon_ms,
        }));
    tx.record(&entry).await.map(drop)
}
