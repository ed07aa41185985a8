//! `--listen` of the commands that watch.

use anyhow::Result;

use crate::cli::ServeArguments;
use crate::serve::listen::Listen;
use crate::serve::{ServeOptions, Server};
use crate::view::publish::Live;

/// Serves what a session publishes, if that was asked for, until it is dropped. Says where.
///
/// # Errors
/// An address cannot be had, or would be open to others without a token.
pub fn start(arguments: &ServeArguments, live: &Live) -> Result<Option<Server>> {
    if arguments.listen.is_empty() {
        return Ok(None);
    }
    let options = ServeOptions {
        listen: arguments.listen.clone(),
        token: arguments.listen_token.clone(),
        names: arguments.listen_name.clone(),
    };
    let server = Server::start(&options, live.clone())?;
    for address in server.addresses() {
        eprintln!("serving at {address}{}", warning(address));
    }
    Ok(Some(server))
}

fn warning(address: &Listen) -> &'static str {
    if address.is_local() {
        ""
    } else {
        " (plain HTTP: who can read the traffic can read the token; put TLS in front of it, or a tunnel)"
    }
}
