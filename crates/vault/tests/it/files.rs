//! Records as files pass the suite, and what is particular to them.
