#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# drop-ins/evpn/maclearn-evpn, beside what an EVPN daemon does to the bridge's database: a guest is
# where it was last, also where the script was not there, or did not hear of it.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 vxlan
load_module
enable host1 host2 vxlan
maclearn port set dev host2 max_macs 0

# remote MAC: the daemon says that it is behind another host
remote() {
    bridge fdb replace "$1" dev vxlan master extern_learn
}

# remote_for MAC SECONDS: it has said so before that
remote_for() {
    maclearn -j -d why "$1" br br | jq -e ".[].updated > $2" >"$LAB/age"
}

# silent_for MAC SECONDS: it has not spoken here since
silent_for() {
    maclearn -j entry show mac "$1" | jq -e ".[0].age > $2" >"$LAB/age"
}

speaks() {
    uncounted_exchange <<<"hello $1 $2"
}

# is_at PORT MAC: the bridge sends there what is for it
is_at() {
    [[ $(bridge fdb get "$2" br br 2>&1) == *" dev $1 "* ]]
}

# is_gone MAC PORT: it is not known there any more
is_gone() {
    [[ ! $(maclearn entry show dev "$2" mac "$1") ]]
}

# The follower's maclearn: its looks at all entries are noted, and what it hears; a MAC in the file
# "withdrawn" is so just before it asks why.
MACLEARN=$(type -P maclearn)
export MACLEARN
mkdir "$LAB/bin"
cat >"$LAB/bin/maclearn" <<'EOF'
#!/bin/bash
case "$*" in
monitor)
    mkfifo "$LAB/events"
    tee "$LAB/heard" <"$LAB/events" &
    exec "$MACLEARN" monitor >"$LAB/events"
    ;;
"entry show "*) echo "$EPOCHSECONDS" >>"$LAB/looks" ;;
*why*)
    if [[ -e $LAB/withdrawn && $* == *" $(<"$LAB/withdrawn") "* ]]; then
        bridge fdb del "$(<"$LAB/withdrawn")" dev vxlan master
        rm "$LAB/withdrawn"
    fi
    ;;
esac
exec "$MACLEARN" "$@"
EOF
chmod +x "$LAB/bin/maclearn"

# ---- before it begins: one guest came, and one went
remote $G11
remote $G13
speaks host1 $G12
speaks host2 $G22
wait_until 20 remote_for $G13 4
wait_until 20 silent_for $G22 4
speaks host1 $G11
remote $G12
is_at vxlan $G11
PATH=$LAB/bin:$PATH ../../drop-ins/evpn/maclearn-evpn vxlan 2>"$LAB/said" &
readonly FOLLOWER=$!
wait_until 20 is_at host1 $G11
wait_until 20 is_gone $G12 host1
is_at vxlan $G12

# ---- what is withdrawn while it looks stays here
echo $G22 >"$LAB/withdrawn"
remote $G22
wait_until 20 test ! -e "$LAB/withdrawn"

# ---- as it happens, within a second
for ((turn = 0; turn < 3; turn++)); do
    remote $G21
    wait_until 20 is_gone $G21 host2
    is_at vxlan $G21
    speaks host2 $G21
    wait_until 20 is_at host2 $G21
done

# By now it is done with the one that was withdrawn.
is_at host2 $G22

# ---- in a storm, of which more is lost than is heard: it looks at all, sooner than by itself
monitor=$(pgrep -P "$FOLLOWER" -f "maclearn monitor")
looked=$(wc -l <"$LAB/looks")
kill -STOP "$monitor"
netlink_client fill host2 20000 >"$LAB/filled"
speaks host1 $G13
kill -CONT "$monitor"
wait_until 20 is_at host1 $G13
grep -q ^lost "$LAB/heard" || fail "nothing was lost"
mapfile -t looks <"$LAB/looks"
((${#looks[@]} > looked && looks[looked] - looks[looked - 1] < 60)) || fail "it looked at ${looks[*]}, $looked times before"

# ---- it ends with the module
unload_module
status=0
wait "$FOLLOWER" || status=$?
((status == 1)) || fail "status $status"
[[ $(tail -n 1 "$LAB/said") == "maclearn-evpn: maclearn has no more to tell" ]] || fail "$(<"$LAB/said")"
