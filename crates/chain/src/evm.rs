//! EVM.
