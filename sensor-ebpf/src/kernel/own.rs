//! The addresses of this host: a function, because few packets need it.

use sensor_common::server::ServerKey;

use super::maps::OWN;

/// Whether an address is one of this host.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn is_own(address: *const ServerKey) -> u64 {
    // SAFETY: the verifier checks at each call that it is null or valid.
    let Some(address) = (unsafe { address.as_ref() }) else {
        return 0;
    };
    // On the stack of this function: Linux 6.1 has no helper take as a key what came as an argument.
    let key = *address;
    u64::from(OWN.get_ptr(&key).is_some())
}
