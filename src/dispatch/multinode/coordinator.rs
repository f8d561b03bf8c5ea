//! Keeps groups, and answers their members over streams: in memory for the jobs of this process, on a
//! Unix socket for those of others.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_util::codec::{Framed, LinesCodec};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::group::{Answer, Ask, End, Group, MAX_MEMBERS};
use super::wire::{FromMember, MAX_LINE, ToMember};

/// So many groups at a time.
const MAX_GROUPS: usize = 256;
/// So many words for a member may wait. There are never more than that it is complete, one answer, and
/// the end.
const QUEUE: usize = 8;
/// What a stream in memory holds, in bytes.
const MEMORY: usize = 64 * 1024;
/// After an error of the system's, which may be that there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves groups. Clones are the same coordinator.
#[derive(Debug, Clone, Default)]
pub struct Coordinator {
    groups: Arc<Mutex<BTreeMap<String, Served>>>,
    tasks: TaskTracker,
}

#[derive(Debug)]
struct Served {
    group: Group,
    members: BTreeMap<String, mpsc::Sender<ToMember>>,
    /// The number of what each member has asked for last.
    asked: BTreeMap<String, u64>,
    /// The members were told that the group ends.
    lost: bool,
}

/// One member's place.
#[derive(Debug, Clone)]
struct Place {
    group: String,
    name: String,
}

impl Coordinator {
    /// A stream to this coordinator from within the process.
    pub fn connect(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(MEMORY);
        self.serve_on_task(ours);
        theirs
    }

    /// Serves a socket until it is cancelled.
    pub async fn serve_socket(&self, socket: Socket, cancelled: &CancellationToken) {
        loop {
            tokio::select! {
                () = cancelled.cancelled() => return,
                accepted = socket.listener.accept() => match accepted {
                    Ok((stream, _)) => self.serve_on_task(stream),
                    Err(error) => {
                        tracing::warn!(%error, "a member could not be accepted");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
            }
        }
    }

    fn serve_on_task(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let this = self.clone();
        self.tasks.spawn(async move { this.serve(stream).await });
    }

    /// Serves one member to its end.
    async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(MAX_LINE));
        let (sender, mut words) = mpsc::channel(QUEUE);
        let first = read(&mut lines).await;
        let joined = match first {
            Some(FromMember::Join { group, size, who, essential }) => {
                let place = Place { group, name: who.name.clone() };
                let joined = self.with(|groups| {
                    let served = open(groups, &place.group, size)?;
                    served.group.join(who, essential)?;
                    served.members.insert(place.name.clone(), sender);
                    if served.group.is_complete() {
                        served.tell_all(&ToMember::Complete { members: served.group.members() });
                    }
                    Ok::<_, String>(())
                });
                joined.map(|()| place)
            }
            Some(_) => Err("a member joins first".to_owned()),
            None => return,
        };
        let place = match joined {
            Ok(place) => place,
            Err(why) => {
                write(&mut lines, &ToMember::Refused { number: 0, why }).await;
                return;
            }
        };
        self.settle(&place.group);
        let end = loop {
            tokio::select! {
                said = read(&mut lines) => match said {
                    Some(FromMember::Ask { number, ask }) => self.ask(&place, number, ask),
                    Some(FromMember::End { failed: None }) => break End::Done,
                    Some(FromMember::End { failed: Some(why) }) => break End::Failed(why),
                    Some(FromMember::Join { .. }) | None => {
                        break End::Failed("its dispatcher is gone".to_owned());
                    }
                },
                Some(word) = words.recv() => {
                    if write(&mut lines, &word).await.is_none() {
                        break End::Failed("its dispatcher is gone".to_owned());
                    }
                }
            }
        };
        self.with(|groups| {
            if let Some(served) = groups.get_mut(&place.group) {
                served.group.end(&place.name, end);
                served.members.remove(&place.name);
            }
        });
        self.settle(&place.group);
    }

    fn ask(&self, place: &Place, number: u64, ask: Ask) {
        self.with(|groups| {
            let Some(served) = groups.get_mut(&place.group) else { return };
            served.asked.insert(place.name.clone(), number);
            if let Err(why) = served.group.ask(&place.name, ask) {
                served.tell(&place.name, ToMember::Refused { number, why });
            }
        });
        self.settle(&place.group);
    }

    /// Answers whom it can, and lets go of a group that is over.
    fn settle(&self, name: &str) {
        self.with(|groups| {
            let Some(served) = groups.get_mut(name) else { return };
            for (member, answer) in served.group.answers() {
                let number = served.asked.get(&member).copied().unwrap_or_default();
                let word = match answer {
                    Answer::Data(data) => ToMember::Answer { number, data },
                    Answer::Never(why) => ToMember::Never { number, why },
                };
                served.tell(&member, word);
            }
            if let Some(why) = served.group.lost().filter(|_| !served.lost) {
                served.lost = true;
                served.tell_all(&ToMember::Lost { why });
            }
            // One that never became complete is forgotten when all have given up.
            if served.group.is_over() || served.members.is_empty() {
                groups.remove(name);
            }
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Served>) -> T) -> T {
        change(&mut self.groups.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Served {
    fn tell(&self, member: &str, word: ToMember) {
        if let Some(sender) = self.members.get(member)
            && sender.try_send(word).is_err()
        {
            tracing::warn!(member, "a member of a group does not take what it is told");
        }
    }

    fn tell_all(&self, word: &ToMember) {
        self.members.keys().for_each(|member| self.tell(member, word.clone()));
    }
}

/// The group of this name; a new one, if there is none.
fn open<'a>(
    groups: &'a mut BTreeMap<String, Served>,
    name: &str,
    size: usize,
) -> Result<&'a mut Served, String> {
    if size == 0 || size > MAX_MEMBERS {
        return Err(format!("a group has 1 to {MAX_MEMBERS} members, not {size}"));
    }
    if !groups.contains_key(name) && groups.len() >= MAX_GROUPS {
        return Err(format!("there are {MAX_GROUPS} groups already"));
    }
    let new = || Served {
        group: Group::new(size),
        members: BTreeMap::new(),
        asked: BTreeMap::new(),
        lost: false,
    };
    let served = groups.entry(name.to_owned()).or_insert_with(new);
    match served.group.size() {
        known if known == size => Ok(served),
        known => Err(format!("the group {name:?} is one of {known} members, not of {size}")),
    }
}

async fn read<S: AsyncRead + AsyncWrite + Unpin>(
    lines: &mut Framed<S, LinesCodec>,
) -> Option<FromMember> {
    let line = lines.next().await?.ok()?;
    serde_json::from_str(&line).ok()
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    lines: &mut Framed<S, LinesCodec>,
    word: &ToMember,
) -> Option<()> {
    let text = serde_json::to_string(word).ok()?;
    lines.send(text).await.ok()
}

/// A Unix socket that only its owner may use; its file is removed when it is not served any more.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Binds a socket; one that nobody serves any more is replaced.
    ///
    /// # Errors
    /// What the system says.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let old = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
        if old && std::os::unix::net::UnixStream::connect(path).is_err() {
            std::fs::remove_file(path)?;
        }
        let socket = Self { listener: UnixListener::bind(path)?, path: path.to_owned() };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(socket)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A stream to the coordinator behind a socket.
///
/// # Errors
/// What the system says.
pub async fn connect(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path).await
}
