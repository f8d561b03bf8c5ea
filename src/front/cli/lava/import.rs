//! `lava import conmux|conserver|ser2net|conman|pdudaemon|powerman FILE...`: the configuration of another
//! console server, or power daemon, as ours.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::Context;
use crate::config::{Glob, read_text};
use crate::import::{self, Format, Imported, Note, Severity};
use crate::model::{Failure, Kind};

/// Reads the configuration of another console server and prints it as one for lava-serial; that of
/// another power daemon, as one for lava-power. What could not be carried over is told on standard
/// error, with what to do instead.
///
/// Lines on standard error that begin with "note:" behind their place tell of what is had in another
/// way; nothing is missing there.
///
/// Exit codes: 0 all of it was carried over; 1 something was not, as told; 2 a file cannot be read or
/// is none of that kind, and nothing is printed.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Whose files they are.
    format: From,
    /// Its configuration files. All of them become one.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write it to this new file instead of standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Keep listeners on the addresses that they were on, though nobody logs in there. Without it
    /// they are on loopback.
    #[arg(long)]
    insecure: bool,
    /// One line of JSON instead: the configuration, if it is not written to a file, and the notes.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum From {
    /// Files of /etc/conmux, *.cf.
    Conmux,
    /// conserver.cf, with the files that it includes.
    Conserver,
    /// ser2net.yaml or the older ser2net.conf.
    Ser2net,
    /// conman.conf.
    Conman,
    /// pdudaemon.conf.
    Pdudaemon,
    /// powerman.conf.
    Powerman,
}

pub(super) async fn run(args: &ImportArgs, ctx: &Context) -> Result<(), Failure> {
    let (format, name) = match args.format {
        From::Conmux => (Format::Conmux, "conmux"),
        From::Conserver => (Format::Conserver, "conserver"),
        From::Ser2net => (Format::Ser2net, "ser2net"),
        From::Conman => (Format::Conman, "conman"),
        From::Pdudaemon => (Format::Pdudaemon, "pdudaemon"),
        From::Powerman => (Format::Powerman, "powerman"),
    };
    let is_power = matches!(format, Format::Pdudaemon | Format::Powerman);
    let found = read(format, &args.files, args.insecure)?;
    let notes = found.notes();
    let lost = notes.iter().filter(|note| note.severity == Severity::Lost).count();
    if !args.json {
        for note in &notes {
            ctx.tell(&format!("{note}\n")).await;
        }
    }
    let (empty, thing) = match is_power {
        true => (found.rack().is_empty(), "outlet"),
        false => (found.consoles().is_empty(), "console"),
    };
    if empty {
        let message = format!("there is no {thing} to be had from {}", labels(&args.files));
        return Err(Failure::new(Kind::Config, message)
            .hint(format!("are they files of {name}? lava import --help tells the kinds")));
    }
    let title = format!("Made by lava import {name} from {}.", labels(&args.files));
    let text = match is_power {
        true => import::rack_toml(found.rack(), &title, args.insecure),
        false => import::whole(&found, &title, args.insecure),
    };
    // Nobody else is to read passwords.
    let mode = if found.rack().has_secrets() { 0o600 } else { 0o666 };
    if let Some(path) = &args.output {
        write(path, &text, mode)?;
    }
    match &args.output {
        _ if args.json => ctx.print_json(&row(&notes, args.output.as_deref(), &text)).await?,
        None => ctx.print(text.as_bytes()).await?,
        Some(_) => {}
    }
    match lost {
        0 => Ok(()),
        1 => Err(Failure::new(Kind::Failed, "1 thing was not carried over; it is told above")),
        lost => Err(Failure::new(
            Kind::Failed,
            format!("{lost} things were not carried over; they are told above"),
        )),
    }
}

/// Reads every file before anything is said, so that all that cannot be read is told at once.
fn read(format: Format, files: &[PathBuf], insecure: bool) -> Result<Imported, Failure> {
    let mut found = Imported::default();
    let mut wrong = Vec::new();
    for path in files {
        let file = path.display().to_string();
        let beside = path.parent().unwrap_or(Path::new(""));
        let include = &mut |wanted: &str| included(beside, wanted);
        match read_text(path) {
            Ok(text) => {
                let read = import::read(format, &file, &text, include, &mut found);
                wrong.extend(read.err().map(|error| error.to_string()));
            }
            Err(why) => wrong.push(format!("{file}: {why}")),
        }
    }
    if !wrong.is_empty() {
        return Err(Failure::new(Kind::Config, wrong.join("\n")));
    }
    if !insecure {
        found.exposed();
    }
    Ok(found)
}

/// The files that an include statement means: one, or in ser2net's all that a pattern fits. A relative
/// path is looked for beside the file that includes it, if it is not where we are.
fn included(beside: &Path, wanted: &str) -> Result<Vec<(String, String)>, String> {
    let path = Path::new(wanted);
    let path = if path.exists() { path.to_owned() } else { beside.join(path) };
    let paths = if wanted.contains(['*', '?']) { matching(&path)? } else { vec![path] };
    let read = |path: PathBuf| Ok((path.display().to_string(), read_text(&path)?));
    paths.into_iter().map(read).collect()
}

/// The files whose names fit a pattern with `*` and `?`, in the order of their names.
fn matching(pattern: &Path) -> Result<Vec<PathBuf>, String> {
    let folder =
        pattern.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let name: Glob = pattern.file_name().unwrap_or_default().to_string_lossy().parse()?;
    let entries = folder.read_dir().map_err(|error| format!("cannot be read: {error}"))?;
    let fits_name = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        !file.starts_with('.') && name.matches(&file)
    };
    let mut paths: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(fits_name).collect();
    paths.sort();
    Ok(paths)
}

/// What was found, for a program.
fn row(notes: &[&Note], output: Option<&Path>, text: &str) -> serde_json::Value {
    let note = |note: &&Note| {
        let Note { origin, severity, what, text } = note;
        json!({
            "file": origin.file, "line": origin.line, "lost": *severity == Severity::Lost,
            "what": what, "text": text,
        })
    };
    let notes: Vec<_> = notes.iter().map(note).collect();
    let config = Some(text).filter(|_| output.is_none());
    json!({"config": config, "output": output, "notes": notes})
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let failure = Failure::new(Kind::User, format!("{}: {error}", path.display()));
        failure.hint("--output makes a new file; without it the configuration is printed")
    })
}

fn labels(files: &[PathBuf]) -> String {
    let labels: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    labels.join(", ")
}
