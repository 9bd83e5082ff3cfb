//! drongo, an emulator of Google Cloud by others.
