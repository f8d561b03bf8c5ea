//! The configuration files of other console servers and power daemons, read into what `lava-serial` and `lava-power`
//! know.
//!
//! Text goes in; [`Imported`] comes out: consoles, outlets, and a [`Note`] for everything in the
//! text that has no equivalent here. Nothing is opened: what a file includes is had from the caller.
//! A statement of which nothing is missing here is passed over in silence, such as ser2net's
//! `max-connections`, where any number may connect.

mod command;
mod conman;
mod conmux;
mod conserver;
mod found;
mod pdudaemon;
mod powerman;
mod print;
mod rack;
pub mod ser2net;
#[cfg(test)]
mod tests;

pub use found::{Console, Imported, Listen, Listens, Note, Origin, Outlet, Severity};
pub use print::{power_toml, rack_toml, serial_toml, whole};
pub use rack::{Pdu, Rack, Setting, Settings, Socket};

/// Whose configuration a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Conmux,
    Conserver,
    Ser2net,
    Conman,
    Pdudaemon,
    Powerman,
}

/// Why nothing can be had from a file, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ImportError(String);

/// Gives the files that an include statement means, each with its name; or why it cannot.
pub type Include<'a> = dyn FnMut(&str) -> Result<Vec<(String, String)>, String> + 'a;

/// Files may include each other to this depth, conserver's own.
const DEPTH: usize = 10;
/// So many files may be included in all.
const INCLUDED: usize = 1000;

/// Reads a file's text; what is found is added to `into`.
///
/// # Errors
/// When the text is none of this format.
pub fn read(
    format: Format,
    file: &str,
    text: &str,
    include: &mut Include<'_>,
    into: &mut Imported,
) -> Result<(), ImportError> {
    match format {
        Format::Conmux => conmux::read(file, text, into),
        Format::Conserver => conserver::read(file, text, include, into)?,
        Format::Ser2net => ser2net::read(file, text, include, into)?,
        Format::Conman => conman::read(file, text, into),
        Format::Pdudaemon => pdudaemon::read(file, text, into)?,
        Format::Powerman => powerman::read(file, text, include, into)?,
    }
    Ok(())
}

impl ImportError {
    fn new(file: &str, line: u32, message: impl Into<String>) -> Self {
        Self(format!("{file}:{line}: {}", message.into()))
    }
}
