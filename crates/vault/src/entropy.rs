//! The vault's randomness: the generator of the library that also seals, so that a FIPS build of it
//! covers both.

use zeroize::Zeroizing;

use crate::Error;

/// `N` random bytes, wiped when dropped.
pub(crate) fn random_bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>, Error> {
    let mut bytes = Zeroizing::new([0_u8; N]);
    aws_lc_rs::rand::fill(bytes.as_mut_slice())
        .map_err(|_| Error::permanent("the random generator failed"))?;
    Ok(bytes)
}
