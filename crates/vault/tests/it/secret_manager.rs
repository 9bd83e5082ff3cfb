//! Records in secret managers pass the suites, and what is particular to them.
