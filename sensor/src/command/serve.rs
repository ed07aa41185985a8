//! `--listen` of the commands that watch.

use anyhow::Result;

use crate::cli::ServeArguments;
use crate::present::output;
use crate::serve::listen::Listen;
use crate::serve::{ServeOptions, Server, Sockets};
use crate::view::publish::Live;

/// Listens, if that was asked for.
///
/// # Errors
/// An address cannot be had, or would be open to others without a token.
pub fn bind(arguments: &ServeArguments) -> Result<Option<Sockets>> {
    if arguments.listen.is_empty() {
        return Ok(None);
    }
    let options = ServeOptions {
        listen: arguments.listen.clone(),
        token: arguments.listen_token.clone(),
        names: arguments.listen_name.clone(),
    };
    Ok(Some(Sockets::bind(&options)?))
}

/// Serves what a session publishes, until it is dropped. Says where.
///
/// # Errors
/// A thread cannot be started.
pub fn start(sockets: Sockets, live: &Live) -> Result<Server> {
    let server = Server::start(sockets, live.clone())?;
    for address in server.addresses() {
        output::note(format_args!("serving at {address}{}", warning(address)));
    }
    Ok(server)
}

fn warning(address: &Listen) -> &'static str {
    if address.is_local() {
        ""
    } else {
        " (plain HTTP: who can read the traffic can read the token; put TLS in front of it, or a tunnel)"
    }
}
