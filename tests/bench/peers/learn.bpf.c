// SPDX-License-Identifier: GPL-2.0

/*
 * The filter as two programs of each port, for tc clsact as well as for tcx.
 * A MAC has one owner, the port where it was seen last, and is never
 * forgotten: less than maclearn does, and thus cheaper.
 */

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);		/* the loader sets it */
	__type(key, __u64);		/* MAC */
	__type(value, __u32);		/* interface index */
} owner SEC(".maps");

#define MAC_MASK 0x0000ffffffffffffULL

SEC("classifier")
int learn(struct __sk_buff *skb)
{
	const unsigned char *frame = (void *)(long)skb->data;
	__u32 port = skb->ifindex;
	__u32 *known;
	__u64 mac;

	if (frame + ETH_HLEN > (unsigned char *)(long)skb->data_end)
		return TC_ACT_UNSPEC;
	mac = *(const __u64 *)(frame + ETH_ALEN) & MAC_MASK;
	known = bpf_map_lookup_elem(&owner, &mac);
	if (!known)
		bpf_map_update_elem(&owner, &mac, &port, BPF_ANY);
	else if (*known != port)
		*known = port;
	return TC_ACT_UNSPEC;
}

SEC("classifier")
int filter(struct __sk_buff *skb)
{
	const unsigned char *frame = (void *)(long)skb->data;
	__u32 *known;
	__u64 mac;

	if (frame + ETH_HLEN > (unsigned char *)(long)skb->data_end)
		return TC_ACT_UNSPEC;
	if (frame[0] & 1)
		return TC_ACT_UNSPEC;
	mac = *(const __u64 *)frame & MAC_MASK;
	known = bpf_map_lookup_elem(&owner, &mac);
	if (known && *known != skb->ifindex)
		return TC_ACT_SHOT;
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
