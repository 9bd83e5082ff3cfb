//! Live ceremonies: where they wait, how their steps run, what each kind does when it ends.

pub(crate) mod change;
pub(crate) mod drive;
pub(crate) mod key_share;
pub(crate) mod keygen;
pub(crate) mod lock;
pub(crate) mod pending;
pub(crate) mod pool;
pub(crate) mod reaper;
pub(crate) mod rounds;
pub(crate) mod running;
pub(crate) mod sign;
pub(crate) mod sign_end;
pub(crate) mod signature_back;
pub(crate) mod suspicion;
pub(crate) mod table;
pub(crate) mod wallet_permits;
