//! The same for somebody who comes over the network, as through `lava-ssh`.

use std::num::NonZeroU16;

use super::action::Target;
use super::draw;
use super::output::Form;
use super::session::{Opening, Session};
use super::streams::Streams;
use crate::client::Attachment;
use crate::client::attach::{From, Options};
use crate::client::lab::{Board, Lab};
use crate::model::event::Mode;
use crate::model::{Failure, Kind};
use crate::wire::escape::{Escapes, Keymap};

/// Somebody at a board's console.
pub(in crate::front) struct Visit {
    /// Where the board is, and on whose behalf it is looked at.
    pub(in crate::front) lab: Lab,
    pub(in crate::front) board: Board,
    /// The name that others see.
    pub(in crate::front) user: String,
    pub(in crate::front) mode: Mode,
    /// The rows and columns of their terminal, if they have one.
    pub(in crate::front) size: Option<(NonZeroU16, NonZeroU16)>,
}

impl Visit {
    /// Attaches and stays until they leave; without a terminal, until the end of their input is dealt
    /// with. Gives the exit code, for a script.
    ///
    /// # Errors
    /// When the console cannot be attached to.
    pub(in crate::front) async fn stay(self, streams: Streams) -> Result<u8, Failure> {
        let Self { lab, board, user, mode, size } = self;
        let console = board.console.ok_or_else(|| {
            Failure::new(Kind::User, format!("board {} has no console {lab}", board.name))
        })?;
        let size = size.and_then(|(rows, columns)| {
            Some((NonZeroU16::new(rows.get().saturating_sub(draw::GREETING_ROWS))?, columns))
        });
        let from = if size.is_some() { From::Screen } else { From::Head };
        let redraw = from == From::Screen;
        let options = Options { mode, from, user: Some(user.clone()), size, stay: false };
        let attachment = Attachment::open(console, options).await?;
        let escapes =
            Escapes::with(Keymap::Lava, Some(Keymap::Lava.introducer()), board.name.as_str());
        let target = Target { lab, board: board.name, user };
        let mut session = Session::new(Opening {
            attachment,
            target,
            escapes,
            wanted: mode,
            streams,
            linger: None,
            form: Form::default(),
            dialogue: None,
            record: None,
            reads: true,
        });
        if !redraw {
            session.greet(None);
        }
        session.run().await
    }
}
