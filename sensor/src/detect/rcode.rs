//! Response codes that rules know (RFC 1035, 4.1.1).

/// RCODE of NOERROR (RFC 1035, 4.1.1).
pub const NOERROR: usize = 0;
/// RCODE of SERVFAIL.
pub const SERVFAIL: usize = 2;
/// RCODE of NXDOMAIN.
pub const NXDOMAIN: usize = 3;
/// RCODE of REFUSED.
pub const REFUSED: usize = 5;
