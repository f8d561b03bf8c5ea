use std::time::Duration;

use super::super::{Idle, IdleSend};
use super::*;
use crate::model::Step;

fn read(files: &[(&str, &str)]) -> Result<SerialConfig, String> {
    let problems = Problems::default();
    let documents: Vec<(String, Node)> = files
        .iter()
        .filter_map(|(file, text)| {
            Some(((*file).to_owned(), toml::parse(text, &At::top(file, &problems))?))
        })
        .collect();
    let config = SerialConfig::from_documents(&documents, &problems, None);
    problems.check(Some(config)).map_err(|failure| failure.message)
}

#[test]
fn the_least_that_a_console_needs_is_read() {
    let config = read(&[(
        "a.toml",
        "[[console]]\nname = \"panda01\"\nport = \"tty:/dev/ttyUSB0,115200n8\"\n\
             raw = \"127.0.0.1:7101\"\ntelnet = \"127.0.0.1:7001\"\n",
    )])
    .unwrap();
    assert_eq!(config.consoles[0].name.as_str(), "panda01");
    assert_eq!(config.consoles[0].port.to_string(), "tty:/dev/ttyUSB0,115200n8");
    assert_eq!(config.consoles[0].telnet, Some("127.0.0.1:7001".parse().unwrap()));
}

#[test]
fn a_console_may_be_kept_for_longer_or_shorter_than_the_others() {
    let config = read(&[
        ("a.toml", "[[console]]\nname = \"a\"\nport = \"unix:/a\"\nkeep = \"10MiB\"\n"),
        ("b.toml", "[[console]]\nname = \"b\"\nport = \"unix:/b\"\nkeep_age = \"7d\"\n"),
        ("c.toml", "[capture]\ndir = \"/c\"\nkeep = \"1GiB\"\nkeep_age = \"30d\"\n"),
    ]);
    let config = config.unwrap();
    let [a, b] = &config.consoles[..] else { panic!("{config:?}") };
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    assert_eq!((a.capture.keep, a.capture.keep_age), (10 << 20, days(30)));
    assert_eq!((b.capture.keep, b.capture.keep_age), (1 << 30, days(7)));
    assert_eq!(a.capture.dir, b.capture.dir);
    // Files are small enough that the limit can be kept.
    assert_eq!((a.capture.segment, b.capture.segment), (10 << 18, 64 << 20));
}

#[test]
fn names_and_addresses_are_used_once_over_all_files() {
    let console = |name, port| {
        format!("[[console]]\nname = \"{name}\"\nport = \"unix:/x\"\nraw = \"127.0.0.1:{port}\"\n")
    };
    let told = read(&[
        ("a.toml", &console("panda01", 7101)),
        ("b.toml", &(console("panda01", 7102) + &console("panda02", 7101))),
    ])
    .unwrap_err();
    assert_eq!(
        told,
        "b.toml:2:8: console[0].name: the name panda01 is already used at a.toml:2:8\n\
             b.toml:8:7: console[1].raw: 127.0.0.1:7101 is already used at a.toml:4:7"
    );
}

#[test]
fn how_a_console_behaves_is_read_and_breaks_are_inherited() {
    let config = read(&[
        ("a.toml", "[break]\ndefault = '\\z(500)'\ncisco = '\\z\\d\\z'\n"),
        (
            "b.toml",
            "[[console]]\nname = \"panda01\"\nport = \"sim:uart\"\npace = \"100B/s\"\n\
                 line_pace = \"1s\"\nidle = \"30m\"\nidle_then = \"leave\"\nidle_send = '\\r'\n\
                 idle_send_after = \"5m\"\non_open = \"\\r\"\nbreak = { cisco = '^C' }\n",
        ),
    ])
    .unwrap();
    let manners = &config.consoles[0].manners;
    assert_eq!(manners.pace.byte.time(), Duration::from_millis(10));
    assert_eq!(manners.pace.line.time(), Duration::from_secs(1));
    assert_eq!(manners.idle, Some(Idle { after: Duration::from_secs(1800), leaves: true }));
    let (keys, after) = ("\\r".parse().unwrap(), Duration::from_secs(300));
    assert_eq!(manners.idle_send, Some(IdleSend { keys, after }));
    assert_eq!(manners.on_open.as_ref().unwrap().steps(), [Step::Type(b"\r".to_vec())]);
    let breaks: Vec<_> =
        manners.breaks.iter().map(|(name, keys)| format!("{name}={keys}")).collect();
    assert_eq!(breaks, ["cisco=^C", "default=\\z(500)"]);
}

#[test]
fn what_is_wrong_with_its_behaviour_is_told_with_its_place() {
    let told = read(&[(
        "a.toml",
        "[break]\nx = '\\q'\n\"a b\" = 'x'\ny = 7\n[[console]]\nname = \"panda01\"\n\
             port = \"sim:uart\"\npace = \"fast\"\nidle = \"1ms\"\nidle_then = \"sleep\"\n\
             idle_send = '\\r'\n[[console]]\nname = \"panda02\"\nport = \"sim:uart\"\n\
             idle_then = \"spy\"\n",
    )])
    .unwrap_err();
    for (line, expected) in told.lines().zip([
        "a.toml:2:5: break.x: \\q is none of \\z (break)",
        "a.toml:3:1: break.a b: a name consists of",
        "a.toml:4:5: break.y: expected a text",
        "a.toml:8:8: console[0].pace: \"fast\" is no pace",
        "a.toml:9:8: console[0].idle: that is no time to be idle",
        "a.toml:10:13: console[0].idle_then: \"sleep\" is neither",
        "a.toml:11:13: console[0].idle_send: it needs \"idle_send_after\"",
        "a.toml:15:13: console[1].idle_then: it needs \"idle\"",
    ]) {
        assert!(line.starts_with(expected), "{line}\nis not\n{expected}");
    }
    assert_eq!(told.lines().count(), 8, "{told}");
}

#[test]
fn what_adapters_become_is_told_by_rules() {
    let config = read(&[
        (
            "a.toml",
            "[discover]\nline = \"9600e7\"\ntelnet = \"127.0.0.1:7300-7399\"\n\
                 [[match]]\nserial = \"A50285BI\"\ninterface = 1\nname = \"panda01\"\n",
        ),
        ("b.toml", "[[match]]\nvendor = \"Arduino*\"\nignore = true\n"),
    ]);
    let discover = config.unwrap().discover.unwrap();
    assert_eq!(discover.line.to_string(), "9600e7");
    assert_eq!(discover.rules.len(), 2);
    assert_eq!(discover.rules[0].interface, Some(1));
    assert!(discover.rules[1].ignore);
}

#[test]
fn for_one_adapter_only_its_rules_are_read() {
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    let text = "[http]\nlisten = \"127.0.0.1:7100\"\n[capture]\ndir = \"/captures\"\n\
                    [[console]]\nname = \"a\"\nport = \"unix:/x\"\n\
                    [[match]]\nserial = \"A\"\nname = \"b\"\n";
    std::fs::write(file.path(), text).unwrap();
    let paths = [file.path().to_owned()];
    let config = SerialConfig::read_for(&paths, Some("usb-A".into())).unwrap();
    assert_eq!((&config.http, config.consoles.len()), (&None, 0));
    let discover = config.discover.as_ref().unwrap();
    assert_eq!((discover.only.as_deref(), discover.rules.len()), (Some("usb-A"), 1));
    assert_eq!(discover.capture.dir, PathBuf::from("/captures"));
    assert_eq!(config.read_again().unwrap(), config);
}

#[test]
fn rules_that_mean_nothing_are_mistakes() {
    let told = read(&[(
        "a.toml",
        "[discover]\n[[console]]\nname = \"panda01\"\nport = \"unix:/x\"\n\
             [[match]]\nname = \"panda01\"\nserial = \"A\"\n\
             [[match]]\nname = \"panda02\"\n\
             [[match]]\npath = \"*\"\nraw = \"7001\"\nignore = true\n",
    )]);
    assert_eq!(
        told.unwrap_err(),
        "a.toml:6:8: match[0].name: the name panda01 is already used at a.toml:3:8\n\
             a.toml:8:1: match[1]: it matches every adapter: say which are meant with vendor, \
             product, serial, path or interface\n\
             a.toml:12:7: match[2].raw: \"7001\" is no address; write it like 127.0.0.1:7001, or \
             127.0.0.1:7300-7399 for one of a range\n\
             a.toml:12:7: match[2].raw: an adapter that is ignored has none"
    );
    let told = read(&[("a.toml", "[[match]]\nserial = \"A\"\nname = \"x\"\n")]);
    let what = "match: nothing is found by itself, so nothing is matched: add [discover]";
    assert_eq!(told.unwrap_err(), format!("a.toml:1:1: {what}"));
}

#[test]
fn the_example_is_a_valid_configuration() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/serial.toml");
    let config = SerialConfig::read(&[example.into()]).unwrap();
    assert!(config.consoles.len() >= 3);
}
