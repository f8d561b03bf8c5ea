//! What somebody asks for on a channel of theirs: a console, a command, files.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelWriteHalf};
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::connection::{Person, Terminal};
use super::pump::{Input, Over, Size, pump};
use super::room::Room;
use super::{files, verbs};
use crate::client::lab::{Board, Lab};
use crate::config::top::TopConfig;
use crate::front::cli::{Streams, Visit};
use crate::front::tui;
use crate::model::event::Mode;
use crate::model::{Failure, Kind, MAX_NAME, Name};

/// The stream of a channel that is standard error (RFC 4254, section 5.2).
const STDERR: u32 = 1;

/// How long what was typed on a channel may take to leave that its client has closed.
const GOODBYE: Duration = Duration::from_secs(2);
/// What is assumed of a terminal that does not tell its size: columns and rows.
const TUI_SIZE: (u16, u16) = (80, 24);

/// What is asked for on a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Shell,
    Command(String),
    Sftp,
}

/// Somebody with a channel.
pub(super) struct Visitor {
    pub(super) person: Arc<Person>,
    /// The boards, as far as they may see them.
    pub(super) lab: Lab,
    /// How the TUI looks.
    pub(super) top: TopConfig,
    /// The name before the `@`.
    pub(super) name: String,
    pub(super) terminal: Option<Terminal>,
    pub(super) no_colour: bool,
    /// What they may open yet of files, on all their channels.
    pub(super) files: Arc<Semaphore>,
}

/// What is to be done, when it is known which words are boards.
enum Task {
    Console {
        board: Box<Board>,
        mode: Mode,
    },
    Words(Vec<String>),
    /// Of these boards, or all.
    Tui {
        boards: Vec<String>,
    },
}

/// Does what somebody asks for on a channel, tells the client how it ended, and closes the channel; until
/// they ask it only waits. `closed` is cancelled when the connection is over.
pub(super) async fn serve(
    channel: Channel<Msg>,
    room: Room,
    asked: oneshot::Receiver<(Visitor, Asked)>,
    closed: CancellationToken,
    handle: Handle,
) {
    let (from, to) = channel.split();
    let id = to.id();
    let (pump, input, sizes) = pump(from, room);
    let mut doing = Box::pin(async {
        let Ok((visitor, asked)) = asked.await else { return std::future::pending().await };
        Box::pin(visitor.carry_out(asked, input, sizes, &to)).await
    });
    let code = tokio::select! {
        code = &mut doing => code,
        over = pump.run() => match over {
            Over::Interrupted => Kind::Interrupted.exit_code(),
            Over::Closed => {
                // What has been typed before is typed to its end.
                let _ = tokio::time::timeout(GOODBYE, &mut doing).await;
                return;
            }
        },
        () = closed.cancelled() => return,
    };
    // Who is gone need not be told.
    let _ = handle.exit_status_request(id, code.into()).await;
    let _ = handle.eof(id).await;
    let _ = handle.close(id).await;
}

impl Visitor {
    async fn carry_out(
        self,
        asked: Asked,
        input: Input,
        sizes: watch::Receiver<Size>,
        to: &ChannelWriteHalf<Msg>,
    ) -> u8 {
        let mut aside = to.make_writer_ext(Some(STDERR));
        let ended = match asked {
            Asked::Sftp => {
                let output = Box::pin(to.make_writer());
                files::serve(self.lab.clone(), self.files.clone(), input, output).await;
                Ok(())
            }
            asked => match self.task(&asked).await {
                Ok(Task::Console { board, mode }) => {
                    if self.terminal.is_none() && asked != Asked::Shell {
                        let board = &board.name;
                        let told = format!(
                            "[no terminal: lines only; ssh -t LAB {board}, or ssh {board}@LAB, for one]\n"
                        );
                        // Who does not read it is told by the console.
                        let _ = aside.write_all(told.as_bytes()).await;
                    }
                    return self.console(*board, mode, input, to).await;
                }
                Ok(Task::Words(words)) => {
                    let out = to.make_writer();
                    return verbs::run(&self, &words, input, out, aside).await;
                }
                Ok(Task::Tui { boards }) => self.tui(boards, input, sizes, to).await,
                Err(failure) => Err(failure),
            },
        };
        self.outcome(ended, &mut aside).await
    }

    /// What somebody means.
    async fn task(&self, asked: &Asked) -> Result<Task, Failure> {
        let words = match asked {
            Asked::Command(command) => shlex::split(command).ok_or_else(|| {
                Failure::new(Kind::User, "a quote is open: what was meant is not clear")
            })?,
            Asked::Shell | Asked::Sftp => Vec::new(),
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            [] => self.nothing_asked().await,
            ["console", board, ref options @ ..] => {
                let board = self.lab.board(board).await?;
                Ok(Task::Console { board: Box::new(board), mode: mode(options)? })
            }
            ["scp", ..] => Err(Failure::new(Kind::User, "files are had by sftp here")
                .hint("use scp without -O, or sftp: scp lab:consoles/panda01/log.raw .")),
            ["top", ref boards @ ..] => self.top(boards),
            [verb, ..] if verbs::is_verb(verb) => Ok(Task::Words(owned(&words))),
            [name, ..] if name.len() > MAX_NAME => {
                let what = format!(
                    "a word of {} letters is no verb, and no board's name",
                    name.chars().count()
                );
                Err(Failure::new(Kind::User, what).hint("ssh LAB help lists the verbs"))
            }
            [name, ref rest @ ..] => {
                let Some(board) = self.board(name).await? else {
                    // The verbs have the better words for a word that is none of them.
                    return Ok(Task::Words(owned(&words)));
                };
                match rest {
                    // `ssh lab panda01 reset`
                    [verb, more @ ..] if verbs::is_verb(verb) => {
                        let turned = [&[*verb, name][..], more].concat();
                        Ok(Task::Words(owned(&turned)))
                    }
                    options => Ok(Task::Console { board: Box::new(board), mode: mode(options)? }),
                }
            }
        }
    }

    /// The name before the `@` is a board's, or the client's own name for its user.
    async fn nothing_asked(&self) -> Result<Task, Failure> {
        let name = &self.name;
        let found = match name.len() > MAX_NAME {
            true => Ok(None),
            false => self.board(name).await,
        };
        let Some(_) = self.terminal else {
            // A script means a board. It must not take for typed what was typed nowhere.
            return match found? {
                Some(board) => Ok(Task::Console { board: Box::new(board), mode: Mode::Rw }),
                None => Err(self.no_board().await),
            };
        };
        // The TUI tells of daemons that do not answer, and waits for them.
        let found = match found {
            Err(failure) if failure.kind == Kind::Lab => None,
            found => found?,
        };
        if let Some(board) = found {
            return Ok(Task::Console { board: Box::new(board), mode: Mode::Rw });
        }
        let boards = self.lab.boards().await.unwrap_or_default();
        let near = Name::nearest(name, boards.iter().map(|board| board.name.as_str()));
        // A slip of the hand has as many digits as the board's name, or has one too many.
        if near.is_some_and(|near| near.contains(|c: char| c.is_ascii_digit()))
            && name.contains(|c: char| c.is_ascii_digit())
        {
            return Err(self.no_board().await);
        }
        Ok(Task::Tui { boards: Vec::new() })
    }

    /// That the name before the `@` is no board's.
    async fn no_board(&self) -> Failure {
        let failure = match self.name.len() > MAX_NAME {
            true => None,
            false => self.lab.board(&self.name).await.err(),
        };
        let none = || Failure::new(Kind::User, "no board is called like the name before the @");
        let failure = failure.unwrap_or_else(none);
        let help = "without a board: ssh LAB help";
        let hint = failure.hint.as_ref().map_or(help.into(), |hint| format!("{hint}; {help}"));
        failure.hint(hint)
    }

    /// `ssh -t lab top`
    fn top(&self, boards: &[&str]) -> Result<Task, Failure> {
        if self.terminal.is_none() {
            let what = "top needs a terminal";
            return Err(Failure::new(Kind::User, what).hint("ssh -t LAB top has one"));
        }
        match boards.iter().find(|word| word.starts_with('-')) {
            None => Ok(Task::Tui { boards: owned(boards) }),
            Some(option) => {
                let what = format!("top has no option {option:?} here");
                Err(Failure::new(Kind::User, what).hint("names of boards, or patterns, follow it"))
            }
        }
    }

    /// The board of a name, if there is one that they may see.
    async fn board(&self, name: &str) -> Result<Option<Board>, Failure> {
        match self.lab.board(name).await {
            Ok(board) => Ok(Some(board)),
            Err(failure) if failure.kind == Kind::User => {
                // There are several of the name, or none.
                let boards = self.lab.boards().await?;
                match boards.iter().any(|board| board.name.as_str() == name) {
                    true => Err(failure),
                    false => Ok(None),
                }
            }
            Err(failure) => Err(failure),
        }
    }

    /// All boards on the client's terminal.
    async fn tui(
        &self,
        boards: Vec<String>,
        mut input: Input,
        mut sizes: watch::Receiver<Size>,
        to: &ChannelWriteHalf<Msg>,
    ) -> Result<(), Failure> {
        let term = self.terminal.as_ref().map_or("", |terminal| &terminal.term);
        let facts = tui::Facts::of(term, |name| {
            (name == "NO_COLOR" && self.no_colour).then(|| "1".to_owned())
        })?;
        let (keys, typed) = mpsc::channel(tui::INPUTS);
        let first = self.terminal.as_ref().and_then(|terminal| terminal.size);
        let cells = |size: Size| {
            size.or(first).map_or(TUI_SIZE, |(rows, columns)| (columns.get(), rows.get()))
        };
        let (told, size) = watch::channel(cells(*sizes.borrow_and_update()));
        let output = Box::new(Box::pin(to.make_writer()));
        let terminal = tui::Terminal { input: typed, output, size, facts, job: None };
        let user = self.person.user.name.to_string();
        let options = tui::Options { boards, config: self.top.clone(), ..tui::Options::default() };
        let screen = tui::run(terminal, self.lab.clone(), user, options);
        let type_on = async {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = input.read(&mut buffer).await {
                if keys.send(Bytes::copy_from_slice(&buffer[..length])).await.is_err() {
                    break;
                }
            }
            drop(keys);
            std::future::pending::<()>().await;
        };
        let resize = async {
            while sizes.changed().await.is_ok() {
                told.send_replace(cells(*sizes.borrow_and_update()));
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = Box::pin(screen) => ended,
            () = type_on => Ok(()),
            () = resize => Ok(()),
        }
    }

    async fn console(
        self,
        board: Board,
        mode: Mode,
        input: Input,
        to: &ChannelWriteHalf<Msg>,
    ) -> u8 {
        let size = self.terminal.as_ref().and_then(|terminal| terminal.size);
        let (output, aside) = (to.make_writer(), to.make_writer_ext(Some(STDERR)));
        // The library's writers may be anywhere in memory only when they are pinned.
        let (output, aside) = (Box::pin(output), Box::pin(aside));
        let streams = Streams::remote(input, output, aside, self.terminal.is_some());
        let user = self.person.user.name.to_string();
        let visit = Visit { lab: self.lab.clone(), board, user, mode, size };
        match visit.stay(streams).await {
            Ok(code) => code,
            Err(failure) => {
                let mut aside = to.make_writer_ext(Some(STDERR));
                self.outcome(Err(failure), &mut aside).await
            }
        }
    }

    /// Tells of a failure, and gives the exit code.
    pub(super) async fn outcome(
        &self,
        ended: Result<(), Failure>,
        aside: &mut (impl AsyncWrite + Unpin),
    ) -> u8 {
        let Err(failure) = ended else { return 0 };
        let text = self.lines(&format!("{failure}\n"));
        let _ = aside.write_all(text.as_bytes()).await;
        failure.kind.exit_code()
    }

    /// Lines as this client's terminal wants them: no driver of ours adds what moves to the left edge.
    pub(super) fn lines(&self, text: &str) -> String {
        match self.terminal {
            Some(_) => text.replace('\n', "\r\n"),
            None => text.to_owned(),
        }
    }
}

/// The mode that options behind a board's name ask for.
fn mode(options: &[&str]) -> Result<Mode, Failure> {
    match options {
        [] => Ok(Mode::Rw),
        ["--spy"] => Ok(Mode::Spy),
        ["--exclusive"] => Ok(Mode::Exclusive),
        _ => {
            let what = format!("{:?} is nothing that is done with a console", options.join(" "));
            Err(Failure::new(Kind::User, what).hint("--spy and --exclusive are; help lists verbs"))
        }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
