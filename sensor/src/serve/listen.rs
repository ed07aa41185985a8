//! Where to listen: an address and port, or a unix socket.

use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Who owns the socket may connect, and root.
const OWNER_ONLY: u32 = 0o600;

/// An address to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An IP address and a port; port 0 is one that is free.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// Whether nobody beyond this host can connect.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err("unix: needs a path, as unix:/run/sensor.sock".into())
            } else {
                Ok(Self::Unix(path.into()))
            };
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            format!(
                "{text:?} is neither ADDRESS:PORT (127.0.0.1:9053, [::1]:9053) nor unix:PATH; names are not looked up"
            )
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "http://{address}/"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// A socket that listens.
#[derive(Debug)]
pub enum Bound {
    /// Over TCP.
    Tcp(TcpListener),
    /// At a path, which is removed in the end.
    Unix(UnixListener, SocketPath),
}

/// Removes the file of a socket when it is dropped.
#[derive(Debug)]
pub struct SocketPath(PathBuf);

impl Drop for SocketPath {
    fn drop(&mut self) {
        // Where it is gone already there is nothing to do.
        let _ = fs::remove_file(&self.0);
    }
}

impl Bound {
    /// Starts to listen.
    ///
    /// # Errors
    /// The address is in use or not of this host; the path is taken or cannot be written.
    pub fn new(listen: &Listen) -> io::Result<Self> {
        match listen {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Tcp(listener))
            }
            Listen::Unix(path) => {
                remove_stale(path)?;
                let listener = UnixListener::bind(path)?;
                let bound = SocketPath(path.clone());
                fs::set_permissions(path, fs::Permissions::from_mode(OWNER_ONLY))?;
                listener.set_nonblocking(true)?;
                Ok(Self::Unix(listener, bound))
            }
        }
    }

    /// Where it listens, with the port that was free.
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn address(&self) -> io::Result<Listen> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Listen::Tcp),
            Self::Unix(_, path) => Ok(Listen::Unix(path.0.clone())),
        }
    }
}

/// The socket of a process that is gone is in the way; any other file stays, and so does a socket that is in use.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(file) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if file.file_type().is_socket() && UnixStream::connect(path).is_err_and(refused) {
        return fs::remove_file(path);
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        "the path is taken by a running process or by another file",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths_are_told_apart_and_loopback_is_local() {
        let local = |text: &str| text.parse::<Listen>().map(|listen| listen.is_local());
        assert_eq!(local("127.0.0.1:9053"), Ok(true));
        assert_eq!(local("[::1]:0"), Ok(true));
        assert_eq!(local("[::ffff:127.0.0.1]:1"), Ok(true));
        assert_eq!(local("unix:/run/sensor.sock"), Ok(true));
        assert_eq!(local("0.0.0.0:9053"), Ok(false));
        assert_eq!(local("192.0.2.1:9053"), Ok(false));
        assert!(local("localhost:9053").is_err() && local(":9053").is_err());
        assert!(local("unix:").is_err());
    }

    #[test]
    fn a_socket_left_behind_is_replaced_and_nothing_else() {
        let path = std::env::temp_dir().join(format!("sensor-listen-{}", std::process::id()));
        let listen = Listen::Unix(path.clone());
        // Left behind: the file stays, nobody listens.
        drop(UnixListener::bind(&path).expect("bound"));
        let bound = Bound::new(&listen).expect("bound again");
        let mode = fs::metadata(&path).expect("a socket").permissions().mode();
        assert_eq!(mode & 0o777, OWNER_ONLY);
        assert!(Bound::new(&listen).is_err(), "it is in use");
        drop(bound);
        assert!(!path.exists(), "it is removed in the end");
        fs::write(&path, "a file").expect("written");
        assert!(Bound::new(&listen).is_err());
        fs::remove_file(&path).expect("still there");
    }
}
