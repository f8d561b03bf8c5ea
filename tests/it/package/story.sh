# What happens in the container; every line has to succeed.
set -eux -o pipefail
cd /share
trap 'journalctl --no-pager -u "lava*" | tail -n 60' ERR

dpkg -i ./*.deb
systemctl is-active lava-serial
id lava
lava --version
for page in lava lava-console lava-serial lava-power lava-server lava-ssh; do test -s "/usr/share/man/man1/$page.1.gz"; done
test -s /usr/share/bash-completion/completions/lava
test -s /usr/share/zsh/vendor-completions/_lava-console
test -s /usr/share/fish/vendor_completions.d/lava.fish
for package in lavamux{,-common,-serial,-power,-server,-ssh,-worker} python3-lavamux; do
    grep -q 'Permission is hereby granted' "/usr/share/doc/$package/copyright"
    gzip -dcf "/usr/share/doc/$package"/[Cc][Hh][Aa][Nn][Gg][Ee]* | grep lava-console >/dev/null
done
test -s /usr/share/doc/lavamux/conf/serial.toml
test "$(systemctl is-enabled lava-ssh)" = disabled
test -s /usr/share/doc/lavamux/conf/profiles/snmp/apc-rpdu.toml

cat >/etc/lava/serial/rack1.toml <<'END'
[http]
listen = "127.0.0.1:7100"
[[console]]
name = "panda01"
port = "exec:sh -c 'stty -echo icrnl; while read a; do echo got $a; done'"
raw = "127.0.0.1:7101"
outlet = "http://127.0.0.1:7200/outlets/panda01"
END
cat >/etc/lava/serial/rack2.toml <<END
[http]
listen = "127.0.0.1:7110"
[[token]]
name = "alice"
hash = "sha256:$(printf lava_alice | sha256sum | cut -d' ' -f1)"
write = "*"
[[console]]
name = "panda02"
port = "exec:sh -c 'stty -echo icrnl; echo ready; while read a; do echo got \$a; done'"
END
cat >/etc/lava/power/rack1.toml <<'END'
[http]
listen = "127.0.0.1:7200"
[[pdu]]
name = "rack1"
driver = "sim"
[[outlet]]
name = "panda01"
pdu = "rack1"
port = 1
console = "http://127.0.0.1:7100/consoles/panda01"
END
# A key that nobody has.
cat >/etc/lava/ssh.d/lab.toml <<'END'
[ssh]
listen = "127.0.0.1:7122"
[[user]]
name = "alice"
keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIL44yhUMZVAZGDeF5Kkp4YH0zzVN7YGIaHXKVHfnnKC alice@laptop"]
control = "*"
END
systemctl enable --now lava-serial@rack1 lava-serial@rack2 lava-power@rack1
systemctl start lava-ssh
test "$(systemctl is-enabled lava-server)" = disabled
systemctl start lava-server
lava board add panda09 --type panda

# From Python, where a script and pytest find the library.
python3 -c 'from lavamux import Lab; print([board["name"] for board in Lab().boards()])' | grep "'panda09'"
python3 - <<'END'
from importlib.metadata import distribution
library = distribution("lavamux")
print(library.version, library.requires, [(one.group, one.value) for one in library.entry_points])
assert ("pytest11", "lavamux.pytest_plugin") in [(one.group, one.value) for one in library.entry_points]
END

# A worker, with a token of its own.
test "$(systemctl is-enabled lava-worker)" = disabled
test "$(systemctl is-active lava-worker)" = inactive
LAVA_TOKEN=$(lava user add root --control '*')
export LAVA_TOKEN
printf 'LAVA_SERVER=http://127.0.0.1:7000\nOPTIONS=--name farm1 --jobs 2\n' >/etc/lava/worker.env
install -m 600 -o lava -g lava /dev/null /etc/lava/worker.token
lava user token root --worker farm1 >/etc/lava/worker.token
systemctl enable --now lava-worker
works() {
    timeout 60 python3 -u - <<'END'
import time
from lavamux import Lab
while not [one for one in Lab()._server.ask("GET", "/workers") if (one["name"], one["slots"], one["live"]) == ("farm1", 2, True)]:
    time.sleep(0.1)
END
}
works
# A boot begins: what its files are had with is made by a server that sees nothing in /proc but processes.
lava board add qemu01 --type qemu --dictionary /usr/share/doc/lavamux/conf/devices/qemu-arm64.yaml
lava reserve name=qemu01 --for 1h
lava boot qemu01 --image http://127.0.0.1:1/Image --no-wait
greets() { IFS= read -r -t 30 line </dev/tcp/127.0.0.1/7122 && [[ $line == SSH-2.0-* ]]; }
greets
exec 3<>/dev/tcp/127.0.0.1/7101
says() {
    local line
    # What comes before the board's stty is done has no end there: it is said again.
    until printf '%s\r' "$1" >&3; IFS= read -r -t 3 line <&3 && [[ $line == *"got $1"* ]]; do :; done
}
says hello
lava power on panda01
lava log panda01 --events | grep power

# On a page one logs in, and is known from then on; at a terminal one types.
ask() {
    exec 4<>/dev/tcp/127.0.0.1/7110
    printf '%s %s HTTP/1.1\r\nhost: 127.0.0.1:7110\r\nconnection: close\r\n%scontent-length: %d\r\n\r\n%s' \
        "$1" "$2" "$3" "${#4}" "$4" >&4
    timeout 30 cat <&4
    exec 4>&-
}
[[ $(ask GET /view/panda02 '' '') == *'src="/web/console.js"'* ]]
[[ $(ask GET /consoles '' '') == 'HTTP/1.1 401'* ]]
cookie=$(ask POST /session '' '{"token":"lava_alice"}' | sed -n 's/^[Ss]et-[Cc]ookie: \([^;]*\);.*/\1/p')
[[ $(ask GET /consoles "cookie: $cookie"$'\r\n' '') == *'"name":"panda02"'* ]]
lava-console panda02 --since 10m --expect ready --send-line hello --expect 'got hello' --timeout 60s

# An upgrade lets nobody go.
dpkg -i ./*.deb
systemctl is-active lava-serial lava-serial@rack1 lava-power@rack1 lava-server lava-ssh lava-worker
works
lava board list | grep panda09
greets
says again
lava power on panda01
lava log panda01 | grep again
test "$(systemctl list-units --failed --no-legend 'lava*' | wc -l)" = 0

exec 3>&-
dpkg --purge python3-lavamux lavamux{,-worker,-serial,-power,-server,-ssh,-common}
# What somebody has written stays; nothing of ours does.
rm -r /etc/lava
left=$(find / -xdev -path /share -prune -o -iname '*lava*' ! -iname '*bratislava*' -print)
test -z "$left"
# systemd may know their names for a while; nothing of them runs.
test "$(systemctl list-units --state=active,activating,reloading --no-legend 'lava*' | wc -l)" = 0
echo "the story is over"
