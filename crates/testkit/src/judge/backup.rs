//! Outside judges of encrypted backups.

use std::process::Command;

use serde_json::{Value, json};

use super::{Question, must_answer};
use crate::tools;

impl Question {
    /// What is in this backup? The answer is its plaintext, a JSON object.
    pub fn open_backup(blob: &str, password: &str) -> Self {
        Self(json!({ "ask": "open", "blob": blob, "password": password }))
    }

    /// Encrypts `plain` as `version`; no version is the oldest form. The answer is the blob. `more`
    /// is an object whose fields are added to the question: `kdf` and `bound` for Halfkey's `v3`,
    /// `lanes` for the published one.
    pub fn seal_backup(version: Option<&str>, password: &str, plain: &Value, more: &Value) -> Self {
        let mut question = json!({
            "ask": "seal", "version": version, "password": password, "plain": plain,
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            question[name] = value.clone();
        }
        Self(question)
    }
}

/// Asks Node's own cryptography, which knows `v1` and `v2`.
pub fn node(questions: &[Question]) -> Vec<Value> {
    tools::real_part("backup-judge");
    must_answer(
        Command::new("node").arg(tools::script("backup_judge.mjs")),
        questions,
    )
}

/// Asks pycryptodome and argon2-cffi, which know every version.
pub fn python(questions: &[Question]) -> Vec<Value> {
    tools::real_part("backup-judge");
    must_answer(
        Command::new(tools::python()).arg(tools::script("backup_judge.py")),
        questions,
    )
}
