//! A board that is a shell of this host: a stand-in for `docker` that really runs the overlay's
//! programs, in a folder of the lab and with its own paths. The job talks to it as to any container.

use super::dialogue::stand_in;
use crate::common::TestLab;

/// Reads lines and does those that a dispatcher types when it runs tests; a line that came damaged is
/// no command.
const SHELL: &str = r#"
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LAVA_MULTI_NODE_CACHE="$own/cache" LAVA_MULTI_NODE_NETWORK_CACHE="$own/network"
printf '%s' "${prompt:=board# }"
while IFS= read -r line; do
    line=${line%"$(printf '\r')"}
    case $line in
    *[!A-Za-z0-9/._\ =-]*) echo "sh: syntax error" ;;
    "$on/bin/lava-test-runner "* | "$on/bin/lava-signals-again "*)
        sh -c "$(printf '%s' "$line" | sed "s,$on/,$own/,g")"
        ;;
    ". $on/environment") . "$own/environment" ;;
    esac
    printf '%s' "$prompt"
done
"#;

/// Finds the overlay among the words of `docker run`, and copies it to where it can run.
const UNPACK: &str = r#"
case "$1" in run) ;; *) exit 0 ;; esac
for word in "$@"; do
    case $word in
    --volume=*) folder=${word#--volume=} on=${folder#*:} folder=${folder%%:*} ;;
    --env=PS1=*) prompt=${word#--env=PS1=} ;;
    esac
done
own=$(mktemp -d BOARDS/board.XXXXXX)
cp -r "$folder/." "$own"
grep -rl "$on/" "$own" | xargs sed -i "s,$on/,$own/,g"
"#;

/// Makes `docker` a board that is a shell of this host.
pub(crate) fn host_board(lab: &TestLab) {
    stand_in(lab, "docker", &format!("{}{SHELL}", unpack(lab)));
}

/// Makes `docker` a board behind a port: its console is what is there, and the shell is a script in the
/// lab's folder.
pub(super) fn board_behind(lab: &TestLab, port: u16) -> String {
    let shell = lab.path("shell").display().to_string();
    let script = format!(
        "{}printf 'on=%s own=%s\\n' \"$on\" \"$own\" >{shell}.new\n\
         cat >>{shell}.new <<'END'{SHELL}END\n\
         mv {shell}.new {shell}\n\
         exec socat -,rawer,escape=0x1d TCP:127.0.0.1:{port}\n",
        unpack(lab)
    );
    stand_in(lab, "docker", &script);
    shell
}

fn unpack(lab: &TestLab) -> String {
    let boards = lab.path("boards");
    std::fs::create_dir_all(&boards).unwrap();
    UNPACK.replace("BOARDS", &boards.display().to_string())
}

/// The device dictionary of such a board.
pub(crate) fn device(name: &str) -> String {
    format!(
        "hostname: {name}
devicetype: docker
actions:
  deploy: {{methods: {{docker: }}}}
  boot: {{methods: {{docker: }}}}
"
    )
}

/// The blocks that bring tests to such a board, with what more is in each of them.
pub(crate) fn blocks(more: &str) -> String {
    format!(
        "- deploy: {{{more}to: docker, image: archlinux, os: archlinux}}
- boot: {{{more}method: docker, command: bash, prompts: ['board# ']}}
"
    )
}
