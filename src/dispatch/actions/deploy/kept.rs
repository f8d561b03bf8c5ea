//! Files that a job keeps by their names: what `to: downloads` fetches, and containers make of it, for
//! `downloads://NAME` in later blocks. A namespace's are in one folder of the job's.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::dispatch::action::Scene;
use crate::dispatch::context::Context;
use crate::dispatch::error::Error;
use crate::dispatch::job::{Artefact, Block, Compression, Deploy, Kind};
use crate::image::Files;

/// What the URLs of such files begin with.
const SCHEME: &str = "downloads://";
/// So many names are told when one is not there.
const MAX_TOLD: usize = 20;

/// What is kept when a block begins, as far as the job alone tells.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    namespace: String,
    names: BTreeSet<String>,
    /// What else is there nobody knows: containers get at the folder, or an archive is unpacked there.
    is_open: bool,
    is_there: bool,
}

impl Kept {
    /// What the blocks before the scene's have kept in its namespace.
    pub(super) fn before(scene: &Scene<'_>) -> Self {
        let mut kept = Self { namespace: scene.namespace().to_owned(), ..Self::default() };
        let own = scene.block;
        let is_own = |block: &Block| own.is_some_and(|own| std::ptr::eq(block, own));
        for block in scene.job.blocks.iter().take_while(|block| !is_own(block)) {
            kept.add(block);
        }
        kept
    }

    fn add(&mut self, block: &Block) {
        let is_here =
            |other: Option<&str>| other.unwrap_or_else(|| block.namespace()) == self.namespace;
        match &block.kind {
            Kind::Deploy(deploy) if deploy.to == "downloads" && is_here(None) => {
                self.is_there = true;
                self.is_open |= deploy.postprocess.is_some();
                self.is_open |= deploy.artefacts.iter().any(|artefact| artefact.archive);
                self.names.extend(deploy.artefacts.iter().filter_map(|artefact| {
                    place(artefact, deploy.uniquify).ok().map(|path| path.display().to_string())
                }));
            }
            Kind::DockerTest { downloads_namespace, .. }
                if is_here(downloads_namespace.as_deref()) =>
            {
                self.is_open = true;
            }
            Kind::Boot(boot) if boot.method == "docker" && is_here(boot.downloads.as_deref()) => {
                self.is_open = true;
            }
            _ => {}
        }
    }

    /// Whether a URL's file may be there when it is wanted.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(super) fn check(&self, url: &str) -> Result<(), String> {
        let name = name(url)?.display().to_string();
        let (namespace, told) = (&self.namespace, told(&self.names));
        if !self.is_there {
            return Err(format!(
                "{url}: no block before this one deploys \"to: downloads\" in the namespace {namespace:?}"
            ));
        }
        match self.is_open || self.names.contains(&name) {
            true => Ok(()),
            false => Err(format!("{url}: the job keeps no file of this name; it keeps {told}")),
        }
    }
}

/// The path in the folder that a URL names.
///
/// # Errors
/// When it is none in the folder.
fn name(url: &str) -> Result<PathBuf, String> {
    let rest = url.strip_prefix(SCHEME).unwrap_or_default();
    // As LAVA has it, downloads:///boot.img is the same.
    let path = Path::new(rest.trim_start_matches('/'));
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    match is_plain && path.file_name().is_some() && !rest.ends_with('/') {
        true => Ok(path.to_owned()),
        false => Err(format!(
            "{url:?}: expected downloads://NAME, the name or the relative path of a file that \"to: downloads\" \
             keeps"
        )),
    }
}

/// Where in the folder a file is kept: under the last part of its URL, without what tells how it was packed;
/// with `uniquify` below a folder that is called as the artefact.
///
/// # Errors
/// When that is no name of a file.
pub(super) fn place(artefact: &Artefact, uniquify: bool) -> Result<PathBuf, String> {
    let Artefact { name, url, .. } = artefact;
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let base = path.rsplit('/').next().unwrap_or_default();
    let base = match base.rsplit_once('.') {
        Some((unpacked, _)) if is_unpacked(artefact) => unpacked,
        _ => base,
    };
    // It comes to stand in command lines.
    let may_be = |c: char| c.is_ascii_alphanumeric() || "-_.:+~@=,%".contains(c);
    if !base.chars().all(may_be) || base.is_empty() || base.starts_with(['.', '-']) {
        return Err(format!("{url:?} ends with no name that {name} could be kept by"));
    }
    Ok(if uniquify { Path::new(name).join(base) } else { base.into() })
}

/// Whether a file is kept unpacked: a ramdisk and a ZIP archive are kept as they come.
pub(super) fn is_unpacked(artefact: &Artefact) -> bool {
    artefact.name != "ramdisk"
        && artefact.compression.is_some_and(|packing| packing != Compression::Zip)
}

/// Two files of a block that would be kept by the same name.
pub(super) fn twins(deploy: &Deploy) -> Option<(String, String, PathBuf)> {
    let mut known: Vec<(&str, PathBuf)> = Vec::new();
    for artefact in &deploy.artefacts {
        let Ok(path) = place(artefact, deploy.uniquify) else { continue };
        if let Some((other, _)) = known.iter().find(|(_, known)| *known == path) {
            return Some(((*other).to_owned(), artefact.name.clone(), path));
        }
        known.push((&artefact.name, path));
    }
    None
}

/// Keeps a file that is on the same disk, instead of one of its name. A container may have been at the folder: it
/// is not followed where it leads by links.
///
/// # Errors
/// [`Error::Infrastructure`] when it cannot be put there.
pub(super) fn keep(file: &Path, at: &Path, context: &Context) -> Result<PathBuf, Error> {
    let folder = folder(context)?;
    let to = folder.join(at);
    let failed =
        |error: &dyn std::fmt::Display| Error::Infrastructure(format!("{}: {error}", to.display()));
    if let Some(parent) = at.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        let parent = folder.join(parent);
        std::fs::create_dir_all(&parent).map_err(|error| failed(&error))?;
        let is_link = parent.symlink_metadata().is_ok_and(|parent| parent.is_symlink());
        if is_link {
            return Err(failed(&"a container has put a link in its way"));
        }
    }
    std::fs::rename(file, &to).map_err(|error| failed(&error))?;
    Ok(to)
}

/// The folder of the running action's namespace, which is made.
///
/// # Errors
/// [`Error::Infrastructure`] when it cannot be made.
pub(super) fn folder(context: &Context) -> Result<PathBuf, Error> {
    let folder = context.downloads(&context.now.namespace);
    let made = std::fs::create_dir_all(&folder);
    made.map_err(|error| Error::Infrastructure(format!("{}: {error}", folder.display())))?;
    Ok(folder)
}

/// The file that a URL names, and who may read it: nothing outside of the folder is read, wherever links lead.
///
/// # Errors
/// [`Error::Job`] when it is not there, with what is.
pub(super) fn find(url: &str, context: &Context) -> Result<(PathBuf, Files), Error> {
    let folder = context.downloads(&context.now.namespace);
    let file = folder.join(name(url).map_err(Error::Job)?);
    if file.is_file() {
        return Ok((file, Files::only(vec![folder])));
    }
    let mut names = BTreeSet::new();
    collect(&folder, &folder, &mut names);
    Err(Error::Job(format!("{url}: there is no such file; there is {}", told(&names))))
}

/// The files in a folder, relative to it; folders behind links are not looked into.
fn collect(folder: &Path, top: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), top, names),
            _ if names.len() > MAX_TOLD => return,
            _ => {
                let path = entry.path();
                let path = path.strip_prefix(top).unwrap_or(&path);
                names.insert(path.display().to_string());
            }
        }
    }
}

fn told(names: &BTreeSet<String>) -> String {
    let mut told: Vec<&str> = names.iter().take(MAX_TOLD).map(String::as_str).collect();
    if names.len() > MAX_TOLD {
        told.push("…");
    }
    if told.is_empty() { "none".into() } else { told.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artefact(name: &str, url: &str, compression: Option<Compression>) -> Artefact {
        Artefact { compression, ..Artefact::plain(name, url) }
    }

    #[test]
    fn a_file_is_kept_by_the_last_part_of_its_url_as_it_is_when_it_is_unpacked() {
        let kept = |name: &str, url: &str, packing| {
            place(&artefact(name, url, packing), false).map(|path| path.display().to_string())
        };
        let gz = Some(Compression::Gz);
        assert_eq!(kept("boot", "http://h/a/boot.img?x=/y", None).unwrap(), "boot.img");
        assert_eq!(kept("kernel", "file:///srv/Image.gz", gz).unwrap(), "Image");
        assert_eq!(kept("kernel", "file:///srv/Image", gz).unwrap(), "Image");
        assert_eq!(kept("ramdisk", "http://h/initrd.cpio.gz", gz).unwrap(), "initrd.cpio.gz");
        assert_eq!(kept("all", "http://h/all.zip", Some(Compression::Zip)).unwrap(), "all.zip");
        for wrong in ["http://h/a/", "http://h/a/..", "http://h/a\n"] {
            assert!(kept("boot", wrong, None).is_err(), "{wrong}");
        }
        let own = place(&artefact("partition:0", "http://h/gpt.bin", None), true).unwrap();
        assert_eq!(own, Path::new("partition:0/gpt.bin"));
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        assert_eq!(name("downloads://boot.img").unwrap(), Path::new("boot.img"));
        assert_eq!(name("downloads:///out/boot.img").unwrap(), Path::new("out/boot.img"));
        for wrong in ["", "/", "..", "out/../../etc/passwd", "out/", "./boot.img"] {
            let url = format!("{SCHEME}{wrong}");
            assert!(name(&url).unwrap_err().contains("expected downloads://NAME"), "{url}");
        }
    }

    #[test]
    fn two_files_of_one_name_are_found() {
        let artefacts = vec![
            artefact("a", "http://h/1/boot.img", None),
            artefact("b", "http://h/2/boot.img", None),
        ];
        let deploy = Deploy { artefacts, ..Deploy::default() };
        assert_eq!(twins(&deploy), Some(("a".into(), "b".into(), "boot.img".into())));
        assert_eq!(twins(&Deploy { uniquify: true, ..deploy }), None);
    }
}
