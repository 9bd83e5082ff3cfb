//! Records in a secret manager, with a record store beside it that compares and sets.
