//! What an answer of the module means.

use cryptoki::error::{Error as ModuleError, RvError};

use crate::Error;

/// What a call on a session came to when it failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Session, login, token or handle is gone: worth one new session.
    Lost(String),
    /// Nothing a new session would change.
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl Failure {
    /// When there is no further try. A loss is never damage.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Lost(what) => Error::temporary(format!("token: {what}")),
            Self::Final(error) => error,
        }
    }
}

/// The code the module answered with.
pub(super) const fn code(error: &ModuleError) -> Option<RvError> {
    if let ModuleError::Pkcs11(code, _) = error {
        Some(*code)
    } else {
        None
    }
}

/// Function and code: neither can hold a secret.
fn text(error: &ModuleError) -> String {
    if let ModuleError::Pkcs11(code, function) = error {
        format!("{function:?}: {code:?}")
    } else {
        "an answer that is not PKCS#11".to_owned()
    }
}

/// What a failed call means, where its caller knows nothing more special.
pub(super) fn of(error: &ModuleError) -> Failure {
    let what = text(error);
    let Some(code) = code(error) else {
        return Error::permanent(format!("token: {what}")).into();
    };
    if is_loss(code) {
        return Failure::Lost(what);
    }
    let error = match () {
        () if is_prohibition(code) => Error::Forbidden("change that in the token"),
        () if code == RvError::DeviceMemory => Error::Full(what),
        () if code == RvError::SessionCount => Error::Throttled(what),
        () if is_hiccup(code) => Error::temporary(format!("token: {what}")),
        () if is_setting(code) => Error::Config(format!("the token does not do that: {what}")),
        () => Error::permanent(format!("token: {what}")),
    };
    error.into()
}

const fn is_loss(code: RvError) -> bool {
    matches!(
        code,
        RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::UserNotLoggedIn
            | RvError::DeviceError
            | RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::SlotIdInvalid
            | RvError::CryptokiNotInitialized
            | RvError::KeyHandleInvalid
            | RvError::ObjectHandleInvalid
            | RvError::OperationActive
            | RvError::OperationNotInitialized
    )
}

const fn is_prohibition(code: RvError) -> bool {
    matches!(
        code,
        RvError::ActionProhibited
            | RvError::AttributeReadOnly
            | RvError::FunctionNotSupported
            | RvError::FunctionRejected
            | RvError::SessionReadOnly
            | RvError::TemplateInconsistent
            | RvError::TokenWriteProtected
    )
}

const fn is_hiccup(code: RvError) -> bool {
    matches!(
        code,
        RvError::GeneralError
            | RvError::FunctionFailed
            | RvError::FunctionCanceled
            | RvError::Cancel
            | RvError::HostMemory
            | RvError::CantLock
    )
}

const fn is_setting(code: RvError) -> bool {
    matches!(
        code,
        RvError::MechanismInvalid
            | RvError::MechanismParamInvalid
            | RvError::KeySizeRange
            | RvError::KeyTypeInconsistent
            | RvError::TemplateIncomplete
            | RvError::AttributeTypeInvalid
            | RvError::AttributeValueInvalid
    )
}

/// What a failed decryption says of the ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is damaged, or of another key or context.
    Refused,
    /// That, or the token is unwell: `SoftHSM`, and others like it, give the code of a general
    /// failure to both.
    Unclear,
    /// Nothing.
    None,
}

pub(super) fn verdict(error: &ModuleError) -> Verdict {
    match code(error) {
        Some(RvError::EncryptedDataInvalid | RvError::SignatureInvalid) => Verdict::Refused,
        Some(
            RvError::GeneralError
            | RvError::FunctionFailed
            | RvError::DataInvalid
            | RvError::EncryptedDataLenRange
            | RvError::VendorDefined(_)
            | RvError::UnknownErrorCode(_),
        ) => Verdict::Unclear,
        Some(_) | None => Verdict::None,
    }
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;

    use super::*;

    fn answer(code: RvError) -> ModuleError {
        ModuleError::Pkcs11(code, Function::Decrypt)
    }

    #[test]
    fn a_loss_is_temporary_and_says_nothing_of_the_ciphertext() {
        for code in [
            RvError::SessionHandleInvalid,
            RvError::UserNotLoggedIn,
            RvError::DeviceRemoved,
            RvError::DeviceError,
            RvError::TokenNotPresent,
            RvError::CryptokiNotInitialized,
        ] {
            let failure = of(&answer(code));
            assert!(matches!(failure, Failure::Lost(_)), "{code:?}");
            assert!(failure.into_error().is_transient(), "{code:?}");
            assert_eq!(verdict(&answer(code)), Verdict::None);
        }
        assert!(
            of(&answer(RvError::GeneralError))
                .into_error()
                .is_transient()
        );
    }

    #[test]
    fn two_codes_mean_that_the_tag_does_not_fit() {
        assert_eq!(
            verdict(&answer(RvError::EncryptedDataInvalid)),
            Verdict::Refused
        );
        assert_eq!(verdict(&answer(RvError::GeneralError)), Verdict::Unclear);
    }
}
