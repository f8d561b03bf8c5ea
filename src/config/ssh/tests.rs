use super::*;

/// Keys of two people, made by `ssh-keygen -t ed25519`.
const ALICE: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIL44yhUMZVAZGDeF5Kkp4YH0zzVN7YGIaHXKVHfnnKC alice";
const BOB: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIL44yhUMZVAZGDeF5Kkp4YH0zzVN7YGIaHXKVHfnnKD bob";

/// A folder with these files, and what its ssh.toml is read as.
fn read(files: &[(&str, &str)]) -> Result<SshConfig, String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let place = format!("{}/", dir.path().display());
    let config = SshConfig::read(&[dir.path().join("ssh.toml")]);
    config.map_err(|failure| failure.to_string().replace(&place, ""))
}

#[test]
fn the_example_is_complete_and_correct() {
    let config = read(&[("ssh.toml", include_str!("../../../conf/ssh.toml")), ("keys/carol", BOB)]);
    let config = config.unwrap();
    let names: Vec<&str> = config.users.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["alice", "carol"]);
    assert_eq!(config.users[0].rights.on("panda07"), Some(Right::Control));
    assert_eq!(config.users[1].rights.on("panda07"), Some(Right::Spy));
    assert_eq!(config.forwards[0].to, "192.168.7.2:22");
    // It stands with what it names.
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/ssh.toml");
    SshConfig::read(&[example.into()]).unwrap();
    let told = read(&[("ssh.toml", include_str!("../../../conf/ssh.toml"))]).unwrap_err();
    assert!(told.starts_with("ssh.toml:30:7: keys.dir: this folder of keys cannot be"), "{told}");
}

#[test]
fn keys_are_written_in_place_in_a_file_or_in_a_folder() {
    let ssh = format!(
        "[ssh]\nlisten = [\"127.0.0.1:2222\", \"[::1]:2222\"]\nlab = \"lab.toml\"\n\
         [[user]]\nname = \"alice\"\nkeys = \"{ALICE}\"\nwrite = \"panda*\"\n\
         [[user]]\nname = \"bob\"\nkeys_file = \"bob.keys\"\nspy = \"*\"\n\
         [keys]\ndir = \"people\"\nsee = \"*\"\n"
    );
    let other = |last: &str| BOB.replace("nnKD", last);
    let config = read(&[
        ("ssh.toml", &ssh),
        ("bob.keys", &format!("# both of them\n{BOB}\nrestrict {}\n", other("nnKE"))),
        ("people/alice.pub", &other("nnKF")),
        ("people/dave", &other("nnKG")),
        ("people/.note", "nobody's"),
    ])
    .unwrap();
    assert_eq!(config.listen.len(), 2);
    assert!(config.lab.unwrap().ends_with("lab.toml"));
    let users: Vec<(&str, usize, Option<Right>)> = config
        .users
        .iter()
        .map(|user| (user.name.as_str(), user.keys.len(), user.rights.on("panda01")))
        .collect();
    let (write, spy, see) = (Some(Right::Write), Some(Right::Spy), Some(Right::See));
    assert_eq!(users, [("alice", 2, write), ("bob", 2, spy), ("dave", 1, see)]);
    assert!(config.users[1].keys[1].stays);
}

#[test]
fn everything_wrong_is_told_with_its_place() {
    let ssh = format!(
        "[ssh]\nlisten = \"lab\"\n[[user]]\nname = \"alice\"\nkeys = [\"{ALICE}\", \"key\"]\nwrte = \"*\"\n\
         [[user]]\nname = \"eve\"\nkeys = \"{ALICE}\"\n[[user]]\nname = \"bob\"\nkeys_file = \"bob.keys\"\n\
         [keys]\ndir = \"people\"\n[[forward]]\nboard = \"panda01\"\nto = \"192.168.7.2\"\n"
    );
    let told = read(&[
        ("ssh.toml", &ssh),
        ("bob.keys", "\nssh-dss AAAA\n"),
        ("people/not a name", BOB),
        ("people/carol", "\n\nssh-ed25519 x\n"),
    ])
    .unwrap_err();
    for expected in [
        "ssh.toml:2:10: ssh.listen: \"lab\" is no address",
        "ssh.toml:5:99: user[0].keys[1]: expected a public key",
        "ssh.toml:6:1: user[0]: unknown key \"wrte\"; did you mean \"write\"?",
        "ssh.toml:9:8: user[1].keys: a key lets in one user, and this is one of alice",
        "ssh.toml:12:13: user[2].keys_file: bob.keys:2: keys of kind \"ssh-dss\" let nobody in",
        "ssh.toml:17:6: forward[0].to: expected HOST:PORT, as 192.168.7.2:22",
        "people/carol:3:1: what stands after \"ssh-ed25519\" is no key of that kind",
        "people/not a name:1:1: the file is called as no user can be",
    ] {
        assert!(told.contains(expected), "{told}\nhas no\n{expected}");
    }
    assert!(read(&[("ssh.toml", "")]).unwrap_err().contains("there is no [ssh] table"));
}

#[test]
fn one_is_forwarded_only_where_an_entry_says_so_and_one_may_write() {
    let ssh = format!(
        "[ssh]\nlisten = \"127.0.0.1:0\"\n[[user]]\nname = \"alice\"\nkeys = \"{ALICE}\"\n\
         write = \"panda01\"\nspy = \"*\"\n[[forward]]\nboard = \"panda01\"\nto = \"192.168.7.2:22\"\n\
         [[forward]]\nboard = \"panda01\"\nto = \"192.168.7.2:80\"\nport = 8080\n\
         [[forward]]\nboard = \"panda02\"\nto = \"192.168.8.2:22\"\n"
    );
    let config = read(&[("ssh.toml", &ssh)]).unwrap();
    let alice = &config.users[0];
    let to = |host, port| config.forward(alice, host, port).map(|forward| forward.to.as_str());
    assert_eq!(to("panda01", 22), Some("192.168.7.2:22"));
    assert_eq!(to("192.168.7.2", 22), Some("192.168.7.2:22"));
    assert_eq!(to("panda01", 8080), Some("192.168.7.2:80"));
    assert_eq!((to("panda01", 80), to("panda02", 22), to("192.168.8.2", 22)), (None, None, None));
}
