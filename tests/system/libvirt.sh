#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: hosts
# timeout: 1800
# drop-ins/libvirt: what its README says works as it stands there, and undoing it leaves nothing.
# host2, to which a domain is migrated, is a libvirt daemon with networks, a host's name and folders
# of its own; "ssh host2" enters them.
# shellcheck disable=SC2029,SC2032,SC2033 # a name is the same there, and a function is of this host
. "${0%/*}/lib.sh"
. "${0%/*}/../documents.sh"
LAB=$(mktemp -d)
export LIBVIRT_DEFAULT_URI=qemu:///system

show_when_settled

answers() {
	"$@" virsh -c qemu:///system version >/dev/null 2>&1
}

# A libvirtd that has been restarted first asks the domains that run, and changes nothing meanwhile;
# on a busy machine longer than virsh waits.
is_free() {
	[[ $(command virsh domcontrol "$1") == ok ]]
}
virsh() {
	[[ $1 != metadata || $(command virsh domstate "$2") != running ]] || wait_until 300 is_free "$2"
	command virsh "$@"
}

# port DOMAIN: that of its first NIC is in PORT then
port() {
	PORT=$(virsh -q domiflist "$1" | awk 'NR == 1 { print $1 }')
	[[ -d /sys/class/net/$PORT/maclearn ]]
}

open_document drop-ins/libvirt/README.md
install_packages
cd /usr/share/doc/maclearn/drop-ins/libvirt
own_sections
add_hub br0
systemctl start libvirtd
wait_until 120 answers
cat >"$LAB/nested1.xml" <<XML
<domain type='qemu'>
  <name>nested1</name><memory unit='MiB'>48</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <interface type='bridge'>
      <mac address='52:54:00:00:00:01'/><source bridge='br0'/><model type='e1000'/>
    </interface>
    <memballoon model='none'/>
  </devices>
</domain>
XML
virsh define "$LAB/nested1.xml"
virsh dumpxml nested1 --inactive >"$LAB/nested1.before"
find /etc /usr/local -path /etc/systemd -prune -o -print | sort >"$LAB/before"

example "The service"
own_sections_hold
example "Settings of a domain's own"
port nested1
is_attribute "$PORT" max_macs 4096
example "Settings of a domain's own"
port nested1
is_attribute "$PORT" enabled 1

# An attached NIC has what the file says and not what the metadata says.
virsh attach-interface nested1 bridge br0 --live
attached=$(virsh -q domiflist nested1 | awk 'NR == 2 { print $1 }')
wait_until 60 is_attribute "$attached" enabled 1
is_attribute "$attached" max_macs 4096

# The module comes back: the service sets what is in the file, the hook the rest once libvirt is
# restarted.
rmmod maclearn
modprobe maclearn
wait_until 60 is_attribute "$PORT" enabled 1
is_attribute "$PORT" max_macs 4096
systemctl restart libvirtd
wait_until 120 answers
wait_until 60 is_attribute "$PORT" max_macs 64

# A container, with a name that the file leaves out, and a setting that is refused: it starts, and
# the journal says why.
cat >"$LAB/sniffer.xml" <<XML
<domain type='lxc'>
  <name>sniffer</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
  <metadata><maclearn:port xmlns:maclearn="urn:maclearn" max_macs="many"/></metadata>
  <os><type>exe</type><init>/bin/sleep</init><initarg>1000</initarg></os>
  <devices>
    <interface type='bridge'>
      <mac address='52:54:00:00:00:02'/><source bridge='br0'/><target dev='sniff0'/>
    </interface>
    <console type='pty'/>
  </devices>
</domain>
XML
virsh -c lxc:///system create "$LAB/sniffer.xml"
is_told() {
	[[ $(journalctl -q -t maclearn) == *"maclearn port set dev sniff0 max_macs many: "* ]]
}
wait_until 60 is_told
is_attribute sniff0 enabled 0
virsh -c lxc:///system destroy sniffer
sed -i 's/many/5/' "$LAB/sniffer.xml"
virsh -c lxc:///system create "$LAB/sniffer.xml"
is_attribute sniff0 max_macs 5
virsh -c lxc:///system destroy sniffer

# ---- the other host
printf '%s\n' "10.9.0.1 $(hostname)" "10.9.0.2 host2" >>/etc/hosts
unshare --mount --net --uts --propagation private sleep infinity &
host2=$!
is_apart() { [[ $(readlink /proc/$host2/ns/uts) != "$(readlink /proc/self/ns/uts)" ]]; }
wait_until 60 is_apart
cat >/usr/local/bin/ssh <<SSH
#!/bin/bash
while [[ \$1 != host2 ]]; do shift; done
exec nsenter -t $host2 --mount --net --uts sh -c "\${*:2}"
SSH
chmod +x /usr/local/bin/ssh
ip link add name wire1 type veth peer name wire2 netns "$host2"
ip address add 10.9.0.1/24 dev wire1
ip link set wire1 up
# shellcheck disable=SC2016 # expanded by the inner shell
nsenter -t "$host2" --mount --net --uts bash -euc '
	hostname host2
	ip link set lo up
	ip address add 10.9.0.2/24 dev wire2
	ip link set wire2 up
	ip link add name br0 up type bridge ageing_time 0
	mount -t sysfs sysfs /sys
	for folder in /etc/libvirt /var/lib/libvirt; do
		mkdir -p "$1/host2$folder"
		cp -a "$folder/." "$1/host2$folder/"
		mount --bind "$1/host2$folder" "$folder"
	done
	mount -t tmpfs tmpfs /var/log/libvirt
	mount -t tmpfs tmpfs /run
	rm -rf /etc/libvirt/hooks /etc/libvirt/qemu/*.xml
	echo "host_uuid = \"11111111-2222-3333-4444-555555555555\"" >>/etc/libvirt/libvirtd.conf
	printf "%s\n" "security_driver = \"none\"" "cgroup_controllers = []" "namespaces = []" \
		"stdio_handler = \"file\"" >>/etc/libvirt/qemu.conf
	libvirtd >"$1/host2.log" 2>&1 </dev/null &
	maclearn apply --follow /etc/maclearn.toml >"$1/host2.apply" 2>&1 </dev/null &' bash "$LAB"
wait_until 180 answers ssh host2

# What is known of guests behind nested1: of one that was heard, and of one that was configured
port nested1
command maclearn entry add 02:00:00:00:01:01 dev "$PORT" age 5
command maclearn entry add 02:00:00:00:01:02 dev "$PORT" static
fails maclearn-migrate nested1
example "Live migration"
[[ $(ssh host2 virsh -c qemu:///system domstate nested1) == running* ]]
[[ $(virsh domstate nested1) == shut* ]]
arrived=$(ssh host2 virsh -q -c qemu:///system domiflist nested1 | awk 'NR == 1 { print $1 }')
[[ $(ssh host2 cat "/sys/class/net/$arrived/maclearn/max_macs") == 64 ]]
[[ $(ssh host2 cat "/sys/class/net/$arrived/maclearn/enabled") == 1 ]]

example "Undo"
[[ ! -e /sys/module/maclearn ]]
rm /usr/local/bin/ssh
find /etc /usr/local -path /etc/systemd -prune -o -print | sort | diff "$LAB/before" -
virsh dumpxml nested1 --inactive | diff "$LAB/nested1.before" -
own_sections_remain
no_more_examples
