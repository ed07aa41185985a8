//! A private network: namespaces that no other process sees, with a DNS server and clients in them.
//!
//! For the demo, the tests and the scenarios. Nothing of it touches an interface of the host, and
//! the kernel removes it with the process, however that ends: the namespaces have no names.

pub mod client;
pub mod namespace;
pub mod network;
pub mod packet_socket;
pub mod responder;

/// Why the network could not be staged.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A system call.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: String,
        /// From the system.
        source: std::io::Error,
    },
    /// A netlink request.
    #[error("cannot {what}")]
    Netlink {
        /// What was tried.
        what: String,
        /// From the kernel.
        source: rtnetlink::Error,
    },
    /// The thread that worked in a namespace panicked: a bug.
    #[error("a thread of the private network panicked")]
    Panicked,
}

impl StageError {
    /// For `map_err`.
    pub(crate) fn system<E: Into<std::io::Error>>(
        what: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |source| Self::System {
            what,
            source: source.into(),
        }
    }

    /// For `map_err`.
    pub(crate) fn netlink(what: impl Into<String>) -> impl FnOnce(rtnetlink::Error) -> Self {
        let what = what.into();
        move |source| Self::Netlink { what, source }
    }
}
