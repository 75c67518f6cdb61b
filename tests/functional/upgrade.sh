#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# maclearn reload under traffic: no frame is lost, also where unknown destinations are suppressed,
# with and without a follower, and all settings and MACs are there afterwards, also those of guests
# that are silent. It unloads nothing that it can't give back.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3 sniffer
load_module
enable host1 host2 host3
set_attribute host2 unknown_unicast suppress
set_attribute br ageing_time 1000

exchange <<PLAN
hello host1 $G11
hello host1 $G12
hello host2 $G21
hello host2 $G22
hello host3 $G31
PLAN
known() { maclearn entry show | sed 's/ age .*//' | sort; }
before=$(known)
settings=$(maclearn port show | sed 's/ limit_reached//')
[[ $before == *"$G22"* ]] || fail "G22 is not known: $before"

stream --rate 100 <<PLAN
stream host1 $G11 $G21 to host2,sniffer
stream host3 $G31 $G21 to host2,sniffer
PLAN
for ((round = 0; round < 5; round++)); do maclearn reload; done
# Who gives ports their settings when the module comes back lets them have their MACs first.
cat >"$LAB/maclearn.toml" <<EOF
[[port]]
name = "host?"
enabled = true

[[port]]
name = "host2"
unknown_unicast = "suppress"
EOF
maclearn apply --follow "$LAB/maclearn.toml" 2>"$LAB/followed" &
readonly FOLLOWER=$!
for ((round = 1; round <= 5; round++)); do
    maclearn reload
    has_followed() { (($(grep -c waiting "$LAB/followed") == round)); }
    wait_until 20 has_followed
done
end_stream

is_as_before() {
    [[ $(known) == "$before" ]] || fail "known is $(known), not $before"
    [[ $(maclearn port show) == "$settings" ]] || fail "settings are $(maclearn port show), not $settings"
    expect_attribute br ageing_time 1000
}
is_as_before
[[ ! -e /run/maclearn.saved ]] || fail "what was saved was left"
kill "$FOLLOWER"

# Settings and MACs are there as if it had never gone.
exchange <<PLAN
send host3 $G31 $G22 count 5
expect host2 $G31 $G22 count 5
expect sniffer $G31 $G22 count 5
PLAN

# refused PATTERN: reload says that, and nothing has changed
refused() {
    local said status=0
    said=$(maclearn reload 2>&1) || status=$?
    # shellcheck disable=SC2053 # a pattern
    [[ $status == 255 && $said == $1 ]] || fail "status $status, $said"
    is_as_before
}

# ---- what can't be saved, and what can't be loaded
mkdir /run/maclearn.saving
refused "*Is a directory*"
rmdir /run/maclearn.saving
installed=$(modinfo -n maclearn)
LC_ALL=C sed 's/vermagic=[0-9]/vermagic=0/' "$installed" >"$LAB/other.ko"
mount --bind "$LAB/other.ko" "$installed"
refused "Error: the module that is installed is for 0*, and this kernel is $(uname -r); nothing was done."
umount "$installed"
mount -t tmpfs tmpfs "${installed%/*}"
refused "mod*: *"
umount "${installed%/*}"
mount -t tmpfs tmpfs /sys/kernel
mkdir /sys/kernel/security
echo "none [integrity] confidentiality" >/sys/kernel/security/lockdown
[[ $(modinfo -F sig_id maclearn) ]] ||
    refused "Error: this kernel takes only modules that are signed, and the one that is installed is not; nothing was done."
umount /sys/kernel

# ---- what others would lose
links hosts <<EOF
link add name far up type bridge
link add name near up master far type dummy
EOF
maclearn -n hosts port set dev near enabled on
refused "Error: ports of other network namespaces are enabled, whose settings and MACs are not saved: hosts; *"
maclearn reload force
is_as_before
[[ $(maclearn -n hosts -j port show dev near | jq '.[].enabled') == false ]]

# ---- it goes on to the end, whoever has seen enough
# with_modprobe COMMANDS: they are carried out when the module is to be loaded
mkdir "$LAB/bin"
with_modprobe() {
    printf '%s\n' "#!/bin/bash" "[[ \$1 == -n ]] || { $1; }" "exec $(type -P modprobe) \"\$@\"" >"$LAB/bin/modprobe"
    chmod +x "$LAB/bin/modprobe"
}
with_modprobe "kill -HUP \$PPID; kill -INT \$PPID"
PATH=$LAB/bin:$PATH maclearn reload
is_as_before

# ---- what could not be loaded: what was known is kept, and can be given back
with_modprobe "echo It is worn out. >&2; exit 1"
status=0
said=$(PATH=$LAB/bin:$PATH maclearn reload 2>&1) || status=$?
[[ $status == 255 && $said == "modprobe: It is worn out. What it knew is in /run/maclearn.saved: "* ]] ||
    fail "status $status, $said"
[[ ! -e /sys/module/maclearn ]]
load_module
status=0
said=$(maclearn reload 2>&1) || status=$?
[[ $status == 255 && $said == *'do "maclearn restore file /run/maclearn.saved"'* ]] || fail "status $status, $said"
maclearn restore file /run/maclearn.saved
is_as_before
rm /run/maclearn.saved
maclearn reload
is_as_before
