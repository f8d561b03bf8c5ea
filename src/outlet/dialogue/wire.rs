//! The stream of bytes to a PDU.

use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::attach::{Hello, Item, Options};
use crate::client::{Attachment, ConsoleRef, Login};
use crate::config::lab::LoginFiles;
use crate::config::power::Connect;
use crate::model::What;
use crate::model::event::Mode;
use crate::port::{self, Port};
use crate::wire::attach::PortState;

/// Who types at the console of a relay board.
const USER: &str = "lava-power";
/// The most that is read at a time, in bytes.
const READ: usize = 1024;

pub(super) enum Wire {
    Port(Box<dyn Port>),
    Console(Box<Attachment>),
}

impl Wire {
    /// Opens it; a console is attached to exclusively, so that nobody types in between.
    ///
    /// # Errors
    /// Why there is no way there.
    pub(super) async fn open(connect: &Connect) -> Result<Self, String> {
        match connect {
            Connect::Port(spec) => {
                port::open(spec).await.map(Self::Port).map_err(|error| error.to_string())
            }
            Connect::Console { url, login } => attach(url, login).await,
        }
    }

    /// What comes next; not empty. Cancel safe.
    ///
    /// # Errors
    /// Why nothing comes any more.
    pub(super) async fn read(&mut self) -> Result<Vec<u8>, String> {
        match self {
            Self::Port(port) => {
                let mut bytes = Vec::with_capacity(READ);
                match port.read_buf(&mut bytes).await {
                    Ok(1..) => Ok(bytes),
                    Ok(0) => Err(port.epitaph().unwrap_or_else(|| "it hung up".to_owned())),
                    Err(error) => Err(port.epitaph().unwrap_or_else(|| error.to_string())),
                }
            }
            Self::Console(attachment) => loop {
                match attachment.next().await {
                    Item::Bytes(frame) => return Ok(frame.bytes.to_vec()),
                    item => over(item)?,
                }
            },
        }
    }

    /// # Errors
    /// Why it cannot be written, or perhaps only in part.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        match self {
            Self::Port(port) => {
                let written = async {
                    port.write_all(bytes).await?;
                    port.flush().await
                };
                let written: std::io::Result<()> = written.await;
                written.map_err(|error| port.epitaph().unwrap_or_else(|| error.to_string()))
            }
            Self::Console(attachment) => {
                attachment.type_bytes(bytes).await.map_err(|error| error.to_string())
            }
        }
    }

    /// Whether it is still there, as far as is known; what has come meanwhile is forgotten.
    pub(super) fn is_there(&mut self) -> bool {
        loop {
            match self.read().now_or_never() {
                None => return true,
                Some(Ok(_)) => {}
                Some(Err(_)) => return false,
            }
        }
    }

    pub(super) async fn close(self) {
        match self {
            // Whatever it is, to let go of it closes it.
            Self::Port(mut port) => drop(port.shutdown().await),
            Self::Console(attachment) => attachment.detach().await,
        }
    }
}

async fn attach(url: &str, files: &LoginFiles) -> Result<Wire, String> {
    let mut console: ConsoleRef = url.parse()?;
    console.login = Login::from(files);
    let options = Options {
        mode: Mode::Exclusive,
        user: Some(USER.to_owned()),
        stay: true,
        ..Options::default()
    };
    let name = console.name().to_owned();
    let attachment = Attachment::open(console, options).await.map_err(|failure| failure.message)?;
    let Hello { mode, holder, port, .. } = attachment.hello().clone();
    let problem = match port {
        PortState::Closed { reason } => Some(format!("the port of the console {name}: {reason}")),
        _ if mode == Mode::Exclusive => None,
        _ => {
            let holder = holder.map_or_else(|| "somebody".to_owned(), |holder| holder.user);
            Some(format!("{holder} holds the console {name}"))
        }
    };
    if let Some(problem) = problem {
        attachment.detach().await;
        return Err(problem);
    }
    Ok(Wire::Console(Box::new(attachment)))
}

/// What ends a conversation over a console.
fn over(item: Item) -> Result<(), String> {
    Err(match item {
        Item::Mode { mode: Mode::Exclusive, .. } => return Ok(()),
        Item::Mode { by, .. } => {
            let by = by.unwrap_or_else(|| "somebody".to_owned());
            format!("{by} took the console")
        }
        Item::Event(event) => match event.what {
            What::PortLost { reason } => format!("the console's port is lost: {reason}"),
            What::PortDown => "somebody closed the console's port".to_owned(),
            _ => return Ok(()),
        },
        Item::Lost { reason } => format!("the connection to the console: {reason}"),
        Item::Ended { reason } => reason,
        Item::Gap { .. } => "some of the console's bytes are lost".to_owned(),
        _ => return Ok(()),
    })
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Port(_) => "Port",
            Self::Console(_) => "Console",
        })
    }
}
