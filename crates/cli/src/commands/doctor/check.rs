//! One check and how it ended.

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// The requirement holds, as the evidence says.
    Pass,
    /// It does not.
    Fail,
    /// It cannot be seen from here.
    CannotTell,
}

impl Status {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::CannotTell => "cannot tell",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// Which of the ten requirements, from 1.
    pub(super) requirement: u8,
    /// What it is about.
    pub(super) title: &'static str,
    pub(super) status: Status,
    /// What was seen.
    pub(super) evidence: String,
    /// What to do, where there is something to do.
    pub(super) remedy: Option<String>,
    /// Which vault it is about; absent for the first, or for all there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vault: Option<&'static str>,
}

impl Check {
    pub(super) fn pass(requirement: u8, title: &'static str, evidence: impl Into<String>) -> Self {
        Self {
            requirement,
            title,
            status: Status::Pass,
            evidence: evidence.into(),
            remedy: None,
            vault: None,
        }
    }

    /// The same about this vault.
    pub(super) fn of(self, vault: Option<&'static str>) -> Self {
        Self { vault, ..self }
    }

    pub(super) fn fail(
        requirement: u8,
        title: &'static str,
        evidence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Fail,
            remedy: Some(remedy.into()),
            ..Self::pass(requirement, title, evidence)
        }
    }

    pub(super) fn cannot_tell(
        requirement: u8,
        title: &'static str,
        evidence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::CannotTell,
            remedy: Some(remedy.into()),
            ..Self::pass(requirement, title, evidence)
        }
    }
}
