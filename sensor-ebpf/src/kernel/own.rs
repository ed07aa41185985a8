//! The addresses of this host: a function, because few packets need it.

use sensor_common::server::ServerKey;
use sensor_common::transactions::OWN_WORDS;
use sensor_ebpf::forgery::place;

use super::maps::{OWN, control};

/// Whether an address is one of this host.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn is_own(address: *const ServerKey) -> u64 {
    // SAFETY: the verifier checks at each call that it is null or valid.
    let Some(address) = (unsafe { address.as_ref() }) else {
        return 0;
    };
    let (word, bit) = place(address);
    if control!(own[word & (OWN_WORDS - 1)]) & bit == 0 {
        return 0;
    }
    // On the stack of this function: Linux 6.1 has no helper take as a key what came as an argument.
    let key = *address;
    u64::from(OWN.get_ptr(&key).is_some())
}
