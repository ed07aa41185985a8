//! Wrong usage that the parser of the command line does not see.

use std::error::Error;

use crate::engine::kernel::engine::KernelError;
use crate::engine::kernel::interface::InterfaceError;
use crate::engine::settings::SettingsError;
use crate::serve::ServeError;

/// Options that cannot be together, or not with these arguments.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub &'static str);

/// Whether the command line asked for what cannot be.
#[must_use]
pub fn is_usage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause: &(dyn Error + 'static)| {
        cause.is::<Usage>()
            || cause.is::<SettingsError>()
            || matches!(cause.downcast_ref(), Some(ServeError::NeedsToken(_)))
            || matches!(
                cause.downcast_ref(),
                Some(
                    KernelError::Settings(_)
                        | KernelError::Interface(
                            InterfaceError::Twice(_) | InterfaceError::Stacked { .. }
                        )
                )
            )
    })
}
