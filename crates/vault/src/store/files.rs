//! Records as files in one directory.
