//! A console that is looked at: what comes from it, and what is typed at it.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Common, News, PaneNews};
use crate::client::attach::{From, Options};
use crate::client::{Attachment, ConsoleRef};
use crate::front::tui::app::emulator;
use crate::model::event::Mode;
use crate::model::{Failure, Kind};
use crate::wire::attach::Verb;

/// The pause before a console is tried again that could not be had at first.
const PAUSE: Duration = Duration::from_secs(2);
/// So many bytes may wait for a board that takes none; more are dropped.
const MAX_UNTYPED: usize = 256 * 1024;

/// What is done at a console.
#[derive(Debug)]
pub(super) enum Order {
    Type(Bytes),
    Ask(Verb),
}

/// Looks at a console until the orders end.
pub(super) async fn attach(
    common: Common,
    number: u64,
    console: ConsoleRef,
    room: (u16, u16),
    mode: Mode,
    mut orders: mpsc::Receiver<Order>,
) {
    let tell = async |news| common.tell(News::Pane(number, news)).await;
    let options = Options {
        mode,
        from: From::Screen,
        user: Some(common.user.clone()),
        stay: false,
        size: Some(emulator::size(room)),
    };
    let mut attachment = loop {
        match Attachment::open(console.clone(), options.clone()).await {
            Ok(attachment) => break attachment,
            Err(failure) => {
                // A wrong name will not be right later.
                let over = failure.kind != Kind::Lab;
                let failure = Failure { hint: None, ..failure };
                tell(PaneNews::Failed { failure, over }).await;
                if over {
                    return;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
        if orders.is_closed() {
            return;
        }
    };
    tell(PaneNews::Attached(Box::new(attachment.hello().clone()))).await;
    loop {
        tokio::select! {
            item = attachment.next() => tell(PaneNews::Item(item)).await,
            order = orders.recv() => match order {
                None => break,
                Some(Order::Type(_)) if !attachment.is_attached() => tell(PaneNews::NotTaken).await,
                Some(Order::Type(bytes)) if attachment.untyped() + bytes.len() > MAX_UNTYPED => {
                    tell(PaneNews::NotTaken).await;
                }
                Some(Order::Type(bytes)) => attachment.type_later(bytes),
                Some(Order::Ask(verb)) => {
                    if attachment.ask(verb).await.is_err() {
                        tell(PaneNews::NotTaken).await;
                    }
                }
            },
        }
    }
    attachment.detach().await;
}
