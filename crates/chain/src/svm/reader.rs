//! Reads Solana's binary encodings from a slice. Every read says `None` past the end.

#[derive(Debug, Clone)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| *byte)
    }

    /// Compact-u16: seven bits a byte, low first, at most three bytes, in its shortest form.
    pub(super) fn compact_u16(&mut self) -> Option<usize> {
        let mut value: u32 = 0;
        for shift in [0_u32, 7, 14] {
            let byte = self.byte()?;
            if byte == 0 && shift > 0 {
                return None;
            }
            value |= u32::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return u16::try_from(value).ok().map(usize::from);
            }
        }
        None
    }

    /// Bytes behind their compact-u16 length.
    pub(super) fn short_bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.compact_u16()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_u16_has_one_form_per_number() {
        let read = |bytes: &[u8]| Reader::new(bytes).compact_u16();
        assert_eq!(read(&[0]), Some(0));
        assert_eq!(read(&[0x7f]), Some(127));
        assert_eq!(read(&[0x80, 0x01]), Some(128));
        assert_eq!(read(&[0xff, 0x7f]), Some(16_383));
        assert_eq!(read(&[0x80, 0x80, 0x01]), Some(16_384));
        assert_eq!(read(&[0xff, 0xff, 0x03]), Some(65_535));
        for bad in [
            &[][..],
            &[0x80],
            &[0x80, 0x00],
            &[0x80, 0x80, 0x00],
            &[0xff, 0xff, 0x04],
            &[0x80, 0x80, 0x81, 0x00],
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
