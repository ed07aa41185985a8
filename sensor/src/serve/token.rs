//! The token that clients beyond this host must know.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A token can have no fewer bits.
const BITS: usize = 128;
/// A file that is longer has something else in it.
const LONGEST: u64 = 4096;
/// A random token of 128 bits has fewer than this many different characters once in millions of times.
const DIFFERENT: usize = 6;
/// How one is made.
const MAKE: &str = "make one: (umask 077; head -c 32 /dev/urandom | base64 >FILE)";

/// Why a file cannot serve as a token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("cannot read the token in {path}")]
    File {
        /// The path.
        path: PathBuf,
        /// From the system.
        source: io::Error,
    },
    /// Others may read it.
    #[error("the token in {0} can be read by others than its owner; chmod 600 {0}")]
    Open(PathBuf),
    /// It is too short, or no token at all.
    #[error("the token in {path} {what}; {MAKE}")]
    Weak {
        /// The path.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
}

/// A token, as its hash: it cannot be told from memory or logs.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// From a file that its owner alone can read: one line, at least 128 bits in hexadecimal, base64 or the like.
    ///
    /// # Errors
    /// The file is missing, readable by others, or weak.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let file = |source| TokenError::File {
            path: path.into(),
            source,
        };
        let data = fs::metadata(path).map_err(file)?;
        if data.mode() & 0o077 != 0 {
            return Err(TokenError::Open(path.into()));
        }
        let weak = |what| TokenError::Weak {
            path: path.into(),
            what,
        };
        if data.len() > LONGEST {
            return Err(weak("is longer than 4 KiB"));
        }
        let text = fs::read_to_string(path).map_err(file)?;
        Self::new(text.trim()).map_err(weak)
    }

    /// From its text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("is not one word of printable ASCII");
        }
        let bits = if text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            4
        } else {
            6
        };
        let different: BTreeSet<u8> = text.bytes().collect();
        // 22 characters of base64 hold 128 bits.
        if text.len().saturating_mul(bits) < BITS || different.len() < DIFFERENT {
            return Err("has fewer than 128 bits");
        }
        Ok(Self(hash(text.as_bytes())))
    }

    /// Whether this is the token. It takes the same time wherever they differ.
    #[must_use]
    pub fn is(&self, offered: &[u8]) -> bool {
        self.0.ct_eq(&hash(offered)).into()
    }
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const GOOD: &str = "k3yQ9vZ1xW7uT5sR2pN8mA";

    #[test]
    fn a_token_has_128_bits_and_no_spaces() {
        assert!(Token::new(GOOD).is_ok());
        assert!(Token::new("0123456789abcdef0123456789abcdef").is_ok());
        for weak in [
            "",
            "0123456789abcdef0123456789abcde",
            &GOOD[1..],
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "k3yQ9vZ1xW7uT5 R2pN8mA",
        ] {
            assert!(Token::new(weak).is_err(), "{weak:?}");
        }
    }

    #[test]
    fn only_the_token_itself_is_the_token() {
        let token = Token::new(GOOD).expect("good");
        assert!(token.is(GOOD.as_bytes()));
        for other in ["", &GOOD[1..], "k3yQ9vZ1xW7uT5sR2pN8mB"] {
            assert!(!token.is(other.as_bytes()), "{other:?}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let path = std::env::temp_dir().join(format!("sensor-token-{}", std::process::id()));
        fs::write(&path, format!("{GOOD}\n")).expect("written");
        let read = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its owner");
            Token::read(&path)
        };
        assert!(matches!(read(0o640), Err(TokenError::Open(_))));
        assert!(matches!(read(0o604), Err(TokenError::Open(_))));
        assert!(read(0o600).is_ok_and(|token| token.is(GOOD.as_bytes())));
        fs::write(&path, "short").expect("written");
        let weak = read(0o400).err().expect("weak").to_string();
        assert!(weak.contains("128 bits") && weak.contains("/dev/urandom"));
        fs::remove_file(&path).expect("its owner");
        assert!(matches!(Token::read(&path), Err(TokenError::File { .. })));
    }
}
