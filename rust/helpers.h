/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MACLEARN_HELPERS_H
#define MACLEARN_HELPERS_H

#include <linux/if_bridge.h>
#include <linux/kobject.h>
#include <linux/memcontrol.h>
#include <linux/netdevice.h>
#include <linux/preempt.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>

/* Where fields stand whose path through anonymous unions depends on the configuration. */
enum maclearn_layout {
	MACLEARN_SKB_DEV = offsetof(struct sk_buff, dev),
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	MACLEARN_SKB_NFCT = offsetof(struct sk_buff, _nfct),
#else
	MACLEARN_SKB_NFCT = 0, /* There is none. */
#endif
	MACLEARN_SKB_MAC_HEADER = offsetof(struct sk_buff, mac_header),
	MACLEARN_SKB_PKT_TYPE = PKT_TYPE_OFFSET,
	MACLEARN_SKB_PROTOCOL = offsetof(struct sk_buff, protocol),
	MACLEARN_SKB_VLAN_ALL = offsetof(struct sk_buff, vlan_all),
	MACLEARN_SKB_VLAN_PROTO = offsetof(struct sk_buff, vlan_proto),
	MACLEARN_SKB_VLAN_TCI = offsetof(struct sk_buff, vlan_tci),
	MACLEARN_NET_DEVICE_TSTATS = offsetof(struct net_device, tstats),
};

/* Settings of a port: the kernel's own names for them are macros or an enum. */
enum maclearn_port_flag {
	MACLEARN_BR_LEARNING = BR_LEARNING,
	MACLEARN_BR_FLOOD = BR_FLOOD,
	MACLEARN_BR_PROXYARP = BR_PROXYARP,
	MACLEARN_BR_PROXYARP_WIFI = BR_PROXYARP_WIFI,
	MACLEARN_BR_NEIGH_SUPPRESS = BR_NEIGH_SUPPRESS,
	MACLEARN_BR_PORT_LOCKED = BR_PORT_LOCKED,
	MACLEARN_BR_NEIGH_VLAN_SUPPRESS = BR_NEIGH_VLAN_SUPPRESS,
	MACLEARN_BR_ISOLATED = BR_ISOLATED,
	MACLEARN_BR_VLAN_TUNNEL = BR_VLAN_TUNNEL,
};

/* What a dump has of its own, in bytes. */
enum { MACLEARN_NETLINK_CTX_SIZE = sizeof_field(struct netlink_callback, ctx) };

/* Where a frame's cb tag stands in its control block: the last word there. */
#define MACLEARN_CB_TAG_OFFSET	40
static_assert(MACLEARN_CB_TAG_OFFSET + sizeof(u64) == sizeof_field(struct sk_buff, cb));
static_assert(offsetof(struct sk_buff, cb) % sizeof(u64) == 0);

/*
 * What is read and written at the beginning of a frame's control block while
 * the bridge has it: struct br_input_skb_cb, which is in no header that modules
 * can include.
 */
struct maclearn_bridge_cb {
	struct net_device *brdev;
	u16 frag_max_size;
#ifdef CONFIG_BRIDGE_IGMP_SNOOPING
	u8 igmp;
	u8 mrouters_only:1;
#endif
	u8 proxyarp_replied:1;
	u8 src_port_isolated:1;
	/* Up only since the bridge is promiscuous, or for a group on one that is. */
	u8 promisc:1;
};

/* Numbers of owners in the table: those of a bridge's ports, and one for the bridge. */
#define MACLEARN_MAX_PORTS	1024

/* Words and pointers of the kernel are read and written as 64 bits. */
static_assert(BITS_PER_LONG == 64);

/* What they are read as. */
static_assert(sizeof_field(struct sk_buff, dev) == 8);
static_assert(sizeof_field(struct sk_buff, mac_header) == 2);
static_assert(sizeof_field(struct sk_buff, protocol) == 2);
static_assert(sizeof_field(struct sk_buff, vlan_all) == 4);
static_assert(sizeof_field(struct sk_buff, vlan_proto) == 2);
static_assert(sizeof_field(struct sk_buff, vlan_tci) == 2);

static_assert(sizeof_field(struct net_device, tstats) == 8);
static_assert(offsetof(struct pcpu_sw_netstats, rx_packets) == 0);
static_assert(offsetof(struct pcpu_sw_netstats, rx_bytes) == 8);
static_assert(offsetof(struct pcpu_sw_netstats, tx_packets) == 16);
static_assert(sizeof(u64_stats_t) == 8);

/* The bits of the packet type in its byte. */
static_assert(PKT_TYPE_MAX == 7);

/* The byte of the preemption count that preempt.rs looks at on x86. */
static_assert(SOFTIRQ_MASK == 0xff00);

/* What the bridge exports and has in no header that modules can include. */
struct net_bridge_port;
void br_forward(const struct net_bridge_port *to, struct sk_buff *skb,
		bool local_rcv, bool local_orig);

/* Inlines and macros of the kernel, as functions that Rust can call. */

bool maclearn_netif_is_bridge_master(const struct net_device *dev);
bool maclearn_netif_is_bridge_port(const struct net_device *dev);
bool maclearn_netif_running(const struct net_device *dev);
bool maclearn_netif_carrier_ok(const struct net_device *dev);
struct net *maclearn_dev_net(const struct net_device *dev);
struct net *maclearn_dev_net_rcu(const struct net_device *dev);
struct kobject *maclearn_dev_kobject(struct net_device *dev);
void maclearn_dev_hold(struct net_device *dev);
void maclearn_dev_put(struct net_device *dev);
void maclearn_visit_nets(void (*visit)(struct net *net));
void **maclearn_net_generic(const struct net *net, unsigned int id);

int maclearn_kobject_add(struct kobject *kobj, const struct kobj_type *type,
			 struct kobject *parent, const char *name);
int maclearn_sysfs_create_group(struct kobject *kobj, const char *name,
				struct attribute **attrs);
void maclearn_kobject_ownership(const struct kobject *kobj,
				kuid_t *uid, kgid_t *gid);

void *maclearn_alloc_percpu(size_t size, size_t align);
void maclearn_free_percpu(void *base);
u64 maclearn_this_cpu_read(u64 *word);
void maclearn_this_cpu_write(u64 *word, u64 value);
void maclearn_this_cpu_add(u64 *word, u64 n);
void *maclearn_per_cpu_ptr(void *base, int cpu);
int maclearn_next_possible_cpu(int cpu);

void maclearn_smp_mb(void);

void maclearn_local_bh_disable(void);
void maclearn_local_bh_enable(void);
bool maclearn_in_softirq(void);
void maclearn_preempt_disable(void);
void maclearn_preempt_enable(void);

void maclearn_delayed_work_init(struct delayed_work *work, work_func_t run,
				const char *name, struct lock_class_key *class);
bool maclearn_mod_delayed_work(struct delayed_work *work, unsigned long delay);
bool maclearn_queue_delayed_work(struct delayed_work *work, unsigned long delay);
bool maclearn_delayed_work_pending(const struct delayed_work *work);
bool maclearn_timer_pending(const struct timer_list *timer);

bool maclearn_is_loading(void);
void maclearn_keep_module(void);

void maclearn_consume_skb(struct sk_buff *skb);
bool maclearn_is_ip_multicast(const struct sk_buff *skb);
bool maclearn_is_bridged_dnat(const struct sk_buff *skb);
unsigned int maclearn_count_segments(const struct sk_buff *skb);

void maclearn_br_forward_copy(struct net_device *dev, struct sk_buff *skb,
			      bool local_orig);
void maclearn_br_forward(struct net_device *dev, struct sk_buff *skb);
int maclearn_netif_get_port_parent_id(struct net_device *dev,
				      struct netdev_phys_item_id *ppid,
				      bool recurse);
bool maclearn_br_multicast_enabled(const struct net_device *dev);
bool maclearn_br_multicast_has_querier_anywhere(struct net_device *dev,
						int proto);
bool maclearn_br_multicast_has_querier_adjacent(struct net_device *dev,
						int proto);

struct sk_buff *maclearn_genlmsg_new(void);
void maclearn_nlmsg_free(struct sk_buff *skb);
void *maclearn_genlmsg_put_reply(struct sk_buff *skb,
				 const struct genl_info *info);
int maclearn_genlmsg_reply(struct sk_buff *skb, const struct genl_info *info);
void *maclearn_genlmsg_put_dump(struct sk_buff *skb,
				struct netlink_callback *cb);
void maclearn_genlmsg_end(struct sk_buff *skb, void *header);
void maclearn_genlmsg_cancel(struct sk_buff *skb, void *header);
int maclearn_register_family(int (*bind)(int group));
void maclearn_unregister_family(void);
bool maclearn_has_listeners(struct net *net);
void *maclearn_genlmsg_put_event(struct sk_buff *skb, u8 command);
void maclearn_genlmsg_multicast(struct net *net, struct sk_buff *skb);
struct net *maclearn_genl_info_net(const struct genl_info *info);
u32 maclearn_genl_info_maxattr(const struct genl_info *info);
const struct genl_info *
maclearn_genl_dump_info(const struct netlink_callback *cb);
void *maclearn_callback_context(struct netlink_callback *cb);

struct mem_cgroup *maclearn_memcg_of_caller(void);
void maclearn_memcg_put(struct mem_cgroup *memcg);
struct mem_cgroup *maclearn_set_active_memcg(struct mem_cgroup *memcg);

void *maclearn_kvzalloc(size_t size);
void maclearn_kvfree(void *memory);

#endif /* MACLEARN_HELPERS_H */
