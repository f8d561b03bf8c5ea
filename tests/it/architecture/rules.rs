//! The rules, each a function from sources to its breaches.

use super::source::Source;

/// Imports from below that reality needs: importing folder, imported module, why.
const IMPORTS_FROM_BELOW: &[(&str, &str, &str)] =
    &[("front/cli/demo", "daemon", "lava demo starts every service in its own process")];

/// Libraries that are used in one place only, and the folders of that place.
const OWNERS: &[(&str, &[&str])] = &[
    ("askama", &["front/http/server/ui"]),
    ("axum", &["front/http", "front/web"]),
    ("clap", &["front/cli", "bin"]),
    ("clap_complete", &["front/cli"]),
    ("clap_mangen", &["front/cli"]),
    ("digest_auth", &["outlet/http"]),
    ("fancy_regex", &["dispatch"]),
    ("gpiocdev", &["outlet/gpio"]),
    ("hyper", &["client", "front/http"]),
    ("hyper_util", &["client", "front/http"]),
    ("indicatif", &["front/cli"]),
    ("inotify", &["adapter"]),
    ("landlock", &["sys"]),
    ("libc", &["sys"]),
    ("minijinja", &["template"]),
    ("minijinja_contrib", &["template"]),
    ("object_store", &["store"]),
    ("prometheus_client", &["front/http"]),
    ("ratatui", &["front/tui"]),
    ("regex", &["dispatch", "wire/expect.rs", "wire/pattern"]),
    ("regex_syntax", &["wire/pattern"]),
    ("reqwest", &["client/service.rs", "image", "outlet/http"]),
    ("rumqttc", &["outlet/mqtt"]),
    ("russh", &["front/ssh"]),
    ("sd_notify", &["daemon"]),
    ("serde_saphyr", &["yaml"]),
    ("snmp2", &["outlet"]),
    ("sqlx", &["store"]),
    ("tokio_tungstenite", &["client", "front/http"]),
    ("toml", &["config"]),
    ("tracing_subscriber", &["daemon"]),
    ("vt100", &["console", "front/tui"]),
    ("zeekstd", &["capture"]),
    ("zstd_safe", &["capture"]),
];

/// The modules that own boards, ports and outlets.
const SERVICES: &[&str] =
    &["port", "capture", "console", "outlet", "power", "sim", "store", "server"];

/// The parts of `front` that are themselves the way to a service: its HTTP side, its line servers with
/// what they hand over, the command lines that start daemons, and the probe, which asks PDUs that no daemon
/// has yet.
const SERVICE_FRONTS: &[&str] = &[
    "front/http",
    "front/line",
    "front/conmux",
    "front/hand_over.rs",
    "front/board_power.rs",
    "front/outlets.rs",
    "front/pdudaemon",
    "front/powerman",
    "front/cli/lava/power/probe.rs",
];

/// The one bare spawn: `daemon` listens for signals as long as the process lives.
const BARE_SPAWNS: &[&str] = &["daemon"];

/// What no unit with `ProcSubset=pid` runs: jobs and their worker, whose unit has all of `/proc`; a verb for people at
/// a shell; and boards that are only played, whose `/proc` is theirs.
const UNCONFINED: &[&str] = &["dispatch", "front/cli/dispatcher", "front/cli/lava/doctor", "sim"];

const LONGEST_FILE: usize = 600;
const LONGEST_PROGRAM: usize = 59;

pub(super) fn imports_from_below(order: &[String], sources: &[Source]) -> Vec<String> {
    let place_of = |name: &str| order.iter().position(|module| module == name);
    let mut breaches = Vec::new();
    for source in sources {
        let Some(module) = source.module() else { continue };
        for (at, imported) in source.own_modules() {
            let excused = IMPORTS_FROM_BELOW
                .iter()
                .any(|(folder, module, _)| source.is_in(&[folder]) && *module == imported);
            if imported != module && place_of(&imported) > place_of(module) && !excused {
                let place = source.place(at);
                breaches.push(format!("{place}: {module} imports from {imported}, which is below"));
            }
        }
    }
    breaches
}

pub(super) fn not_in_the_list(order: &[String], sources: &[Source]) -> Vec<String> {
    let mut modules: Vec<&str> = sources.iter().filter_map(Source::module).collect();
    modules.dedup();
    let missing = modules.iter().filter(|module| !order.iter().any(|listed| listed == *module));
    let gone = order.iter().filter(|listed| !modules.contains(&listed.as_str()));
    let missing = missing.map(|module| format!("src/{module} is not in the list"));
    missing.chain(gone.map(|listed| format!("{listed} is in the list, but not in src"))).collect()
}

pub(super) fn foreign_libraries(sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for source in sources {
        for (library, owners) in OWNERS.iter().filter(|(_, owners)| !source.is_in(owners)) {
            for at in source.words(library) {
                let path = source.code[at + library.len()..].trim_start();
                // `config::toml` is a module of ours; `toml` and `::toml` are the library.
                let root = source.code[..at].strip_suffix("::");
                let from_elsewhere = root.is_some_and(|code| code.ends_with(char::is_alphanumeric));
                if !from_elsewhere && (path.starts_with("::") || path.starts_with(';')) {
                    let place = source.place(at);
                    breaches
                        .push(format!("{place}: {library} belongs to {}", owners.join(" and ")));
                }
            }
        }
    }
    breaches
}

pub(super) fn fronts_at_services(sources: &[Source]) -> Vec<String> {
    let fronts = sources.iter().filter(|s| s.is_in(&["front"]) && !s.is_in(SERVICE_FRONTS));
    let mut breaches = Vec::new();
    for source in fronts {
        for (at, imported) in source.own_modules() {
            if SERVICES.contains(&imported.as_str()) {
                breaches.push(format!("{}: imports from {imported}", source.place(at)));
            }
        }
    }
    breaches
}

pub(super) fn unsafe_outside_sys(sources: &[Source]) -> Vec<String> {
    let outside = sources.iter().filter(|source| !source.is_in(&["sys"]));
    find(outside, &["unsafe", "unsafe_code"])
}

pub(super) fn tasks_and_queues(sources: &[Source]) -> Vec<String> {
    let mut breaches = find(
        sources.iter(),
        &["unbounded_channel", "UnboundedSender", "UnboundedReceiver", "unbounded"],
    );
    for source in sources.iter().filter(|source| !source.is_in(BARE_SPAWNS)) {
        for spawn in ["tokio::spawn", "task::spawn"] {
            breaches.extend(source.words(spawn).map(|at| format!("{}: {spawn}", source.place(at))));
        }
    }
    breaches
}

/// Files that a unit with `ProcSubset=pid` does not have: all of `/proc` but processes.
pub(super) fn hidden_files(sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for source in sources.iter().filter(|source| !source.is_in(UNCONFINED)) {
        for (number, line) in source.text.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for (at, _) in line.match_indices("/proc/") {
                let rest = &line[at + "/proc/".len()..];
                let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next();
                let name = name.unwrap_or_default();
                let process = matches!(name, "" | "self" | "thread-self");
                if !process && !name.bytes().all(|byte| byte.is_ascii_digit()) {
                    breaches.push(format!("{}:{}: /proc/{name}", source.path, number + 1));
                }
            }
        }
    }
    breaches
}

pub(super) fn input_output_in_pure_modules(sources: &[Source]) -> Vec<String> {
    let pure = sources.iter().filter(|source| source.is_in(&["model", "wire"]));
    find(pure, &["tokio", "tokio_util", "std::fs", "std::net", "std::process", "std::thread"])
}

pub(super) fn long_files(sources: &[Source]) -> Vec<String> {
    let limit = |source: &Source| {
        if source.is_in(&["bin"]) { LONGEST_PROGRAM } else { LONGEST_FILE }
    };
    let long = sources.iter().filter(|source| source.lines > limit(source));
    long.map(|s| format!("{} has {} lines; {} are allowed", s.path, s.lines, limit(s))).collect()
}

/// Every place of every one of these words.
fn find<'a>(sources: impl Iterator<Item = &'a Source>, words: &[&str]) -> Vec<String> {
    let mut breaches = Vec::new();
    for source in sources {
        for word in words {
            breaches.extend(source.words(word).map(|at| format!("{}: {word}", source.place(at))));
        }
    }
    breaches
}
