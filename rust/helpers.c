// SPDX-License-Identifier: GPL-2.0

#include <linux/bottom_half.h>
#include <linux/cpumask.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/netfilter_bridge.h>
#include <linux/percpu.h>
#include <linux/rtnetlink.h>
#include <linux/rwsem.h>
#include <linux/preempt.h>
#include <linux/sched/mm.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/genetlink.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "helpers.h"
#include "netlink_gen.h"

#ifdef MACLEARN_PCPU_HOT
static_assert(offsetof(struct pcpu_hot, preempt_count) == 8);
#endif

MODULE_VERSION(__stringify(MACLEARN_VERSION));

bool maclearn_netif_is_bridge_master(const struct net_device *dev)
{
	return netif_is_bridge_master(dev);
}

bool maclearn_netif_is_bridge_port(const struct net_device *dev)
{
	return netif_is_bridge_port(dev);
}

bool maclearn_netif_running(const struct net_device *dev)
{
	return netif_running(dev);
}

bool maclearn_netif_carrier_ok(const struct net_device *dev)
{
	return netif_carrier_ok(dev);
}

struct net *maclearn_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

struct kobject *maclearn_dev_kobject(struct net_device *dev)
{
	return &dev->dev.kobj;
}

struct net *maclearn_dev_net_rcu(const struct net_device *dev)
{
	return dev_net_rcu(dev);
}

void maclearn_dev_hold(struct net_device *dev)
{
	dev_hold(dev);
}

void maclearn_dev_put(struct net_device *dev)
{
	dev_put(dev);
}

/* Namespaces can't come or go meanwhile. */
void maclearn_visit_nets(void (*visit)(struct net *net))
{
	struct net *net;

	down_read(&net_rwsem);
	for_each_net(net)
		visit(net);
	up_read(&net_rwsem);
}

void **maclearn_net_generic(const struct net *net, unsigned int id)
{
	return net_generic(net, id);
}

int maclearn_kobject_add(struct kobject *kobj, const struct kobj_type *type,
			 struct kobject *parent, const char *name)
{
	return kobject_init_and_add(kobj, type, parent, "%s", name);
}

int maclearn_sysfs_create_group(struct kobject *kobj, const char *name,
				struct attribute **attrs)
{
	const struct attribute_group group = { .name = name, .attrs = attrs };

	return sysfs_create_group(kobj, &group);
}

/* A directory below a net_device belongs to whoever owns its namespace. */
void maclearn_kobject_ownership(const struct kobject *kobj,
				kuid_t *uid, kgid_t *gid)
{
	const struct device *dev = kobj_to_dev(kobj->parent);

	net_ns_get_ownership(dev_net(to_net_dev(dev)), uid, gid);
}

/*
 * A per-CPU pointer may be one of an address space of its own, which bindgen
 * does not know: outside of this file it is a plain one.
 */
static void __percpu *percpu(void *base)
{
	return (void __percpu *)(unsigned long)base;
}

void *maclearn_alloc_percpu(size_t size, size_t align)
{
	return (void *)(__force unsigned long)
		__alloc_percpu_gfp(size, align, GFP_KERNEL_ACCOUNT);
}

void maclearn_free_percpu(void *base)
{
	free_percpu(percpu(base));
}

static u64 __percpu *percpu_word(u64 *word)
{
	return (u64 __percpu *)(unsigned long)word;
}

/* The caller can't be moved to another CPU, nor interrupted by who writes the word. */
u64 maclearn_this_cpu_read(u64 *word)
{
	return __this_cpu_read(*percpu_word(word));
}

void maclearn_this_cpu_write(u64 *word, u64 value)
{
	__this_cpu_write(*percpu_word(word), value);
}

/*
 * Any context. this_cpu_add() turns interrupts off where it is more than one
 * instruction: that is not needed with softirqs off, for nothing here runs in
 * a hard interrupt.
 */
void maclearn_this_cpu_add(u64 *word, u64 n)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT) && in_softirq())
		__this_cpu_add(*percpu_word(word), n);
	else
		this_cpu_add(*percpu_word(word), n);
}

void *maclearn_per_cpu_ptr(void *base, int cpu)
{
	return per_cpu_ptr(percpu(base), cpu);
}

/* The possible CPU after @cpu (-1 for the first), or -1 after the last. */
int maclearn_next_possible_cpu(int cpu)
{
	cpu = cpumask_next(cpu, cpu_possible_mask);
	return cpu < nr_cpu_ids ? cpu : -1;
}

void maclearn_smp_mb(void)
{
	/* What it pairs with is said where it is called. */
	smp_mb();
}

void maclearn_local_bh_disable(void)
{
	local_bh_disable();
}

void maclearn_local_bh_enable(void)
{
	local_bh_enable();
}

bool maclearn_in_softirq(void)
{
	return in_softirq();
}

void maclearn_preempt_disable(void)
{
	preempt_disable();
}

void maclearn_preempt_enable(void)
{
	preempt_enable();
}

/* As INIT_DELAYED_WORK(), but each caller has a lock class of its own. */
void maclearn_delayed_work_init(struct delayed_work *work, work_func_t run,
				const char *name, struct lock_class_key *class)
{
	INIT_DELAYED_WORK(work, run);
#ifdef CONFIG_LOCKDEP
	lockdep_init_map(&work->work.lockdep_map, name, class, 0);
#endif
}

bool maclearn_mod_delayed_work(struct delayed_work *work, unsigned long delay)
{
	return mod_delayed_work(system_dfl_wq, work, delay);
}

bool maclearn_queue_delayed_work(struct delayed_work *work, unsigned long delay)
{
	return queue_delayed_work(system_dfl_wq, work, delay);
}

bool maclearn_delayed_work_pending(const struct delayed_work *work)
{
	return delayed_work_pending(work);
}

bool maclearn_timer_pending(const struct timer_list *timer)
{
	return timer_pending(timer);
}

bool maclearn_is_loading(void)
{
	return THIS_MODULE->state == MODULE_STATE_COMING;
}

/* The module stays for good, unless it is about to go already. */
void maclearn_keep_module(void)
{
	__module_get(THIS_MODULE);
}

void maclearn_consume_skb(struct sk_buff *skb)
{
	consume_skb(skb);
}

/* Whether the IP header of a frame in a hook of the bridge is for a group. */
bool maclearn_is_ip_multicast(const struct sk_buff *skb)
{
	struct ipv6hdr ipv6_copy;
	struct iphdr ip_copy;
	const struct ipv6hdr *ipv6;
	const struct iphdr *ip;

	switch (skb->protocol) {
	case htons(ETH_P_IP):
		ip = skb_header_pointer(skb, 0, sizeof(ip_copy), &ip_copy);
		return ip && ipv4_is_multicast(ip->daddr);
	case htons(ETH_P_IPV6):
		ipv6 = skb_header_pointer(skb, 0, sizeof(ipv6_copy), &ipv6_copy);
		return ipv6 && ipv6_addr_is_multicast(&ipv6->daddr);
	default:
		return false;
	}
}

/*
 * Whether a frame that the bridge device is to send came in through a port:
 * br_netfilter has it get the MAC of the station to which DNAT has turned it.
 */
bool maclearn_is_bridged_dnat(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	const struct nf_bridge_info *info = nf_bridge_info_get(skb);

	return info && info->bridged_dnat;
#else
	return false;
#endif
}

/* The GSO segments of a buffer, as __dev_queue_xmit() is going to count them. */
unsigned int maclearn_count_segments(const struct sk_buff *skb)
{
	const struct skb_shared_info *shared = skb_shinfo(skb);
	unsigned int header;

	if (!shared->gso_size)
		return 1;
	if (skb->encapsulation)
		header = skb_inner_transport_offset(skb);
	else if (skb_transport_header_was_set(skb))
		header = skb_transport_offset(skb);
	else
		return 1;
	if (shared->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)) {
		struct tcphdr tcp, *found;

		found = skb_header_pointer(skb, header, sizeof(tcp), &tcp);
		if (!found)
			return 1;
		header += __tcp_hdrlen(found);
	} else if (shared->gso_type & SKB_GSO_UDP_L4) {
		header += sizeof(struct udphdr);
	}
	if (header >= skb->len)
		return 1;
	return DIV_ROUND_UP(skb->len - header, shared->gso_size);
}

/*
 * The port to flood to, if the bridge would: br_flood() looks at the flag, and
 * has no backup for a port that can't send. Under RCU.
 */
static const struct net_bridge_port *flooded_port(struct net_device *dev)
{
	if (!br_port_flag_is_set(dev, BR_FLOOD) || !netif_running(dev) ||
	    !netif_carrier_ok(dev))
		return NULL;
	return rcu_dereference(dev->rx_handler_data);
}

/* A copy of a frame goes out through a port of its bridge. Under RCU. */
void maclearn_br_forward_copy(struct net_device *dev, struct sk_buff *skb,
			      bool local_orig)
{
	br_forward(flooded_port(dev), skb, true, local_orig);
}

/* The same of the frame itself, which came in through a port. */
void maclearn_br_forward(struct net_device *dev, struct sk_buff *skb)
{
	const struct net_bridge_port *port = flooded_port(dev);

	if (port)
		br_forward(port, skb, false, false);
	else
		consume_skb(skb);
}

int maclearn_netif_get_port_parent_id(struct net_device *dev,
				      struct netdev_phys_item_id *ppid,
				      bool recurse)
{
	return netif_get_port_parent_id(dev, ppid, recurse);
}

bool maclearn_br_multicast_enabled(const struct net_device *dev)
{
	return br_multicast_enabled(dev);
}

bool maclearn_br_multicast_has_querier_anywhere(struct net_device *dev,
						int proto)
{
	return br_multicast_has_querier_anywhere(dev, proto);
}

bool maclearn_br_multicast_has_querier_adjacent(struct net_device *dev,
						int proto)
{
	return br_multicast_has_querier_adjacent(dev, proto);
}

struct sk_buff *maclearn_genlmsg_new(void)
{
	return genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
}

void maclearn_nlmsg_free(struct sk_buff *skb)
{
	nlmsg_free(skb);
}

void *maclearn_genlmsg_put_reply(struct sk_buff *skb,
				 const struct genl_info *info)
{
	return genlmsg_put(skb, info->snd_portid, info->snd_seq, info->family,
			   0, info->genlhdr->cmd);
}

int maclearn_genlmsg_reply(struct sk_buff *skb, const struct genl_info *info)
{
	return genlmsg_unicast(genl_info_net(info), skb, info->snd_portid);
}

void *maclearn_genlmsg_put_dump(struct sk_buff *skb,
				struct netlink_callback *cb)
{
	const struct genl_info *info = genl_info_dump(cb);
	void *header;

	header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			     info->family, NLM_F_MULTI, info->genlhdr->cmd);
	if (header)
		genl_dump_check_consistent(cb, header);
	return header;
}

void maclearn_genlmsg_end(struct sk_buff *skb, void *header)
{
	genlmsg_end(skb, header);
}

void maclearn_genlmsg_cancel(struct sk_buff *skb, void *header)
{
	genlmsg_cancel(skb, header);
}

/*
 * Whether the family is registered: its group's number is another's otherwise.
 * The lock keeps that so while something is sent there.
 */
static DECLARE_RWSEM(family_lock);
static bool is_registered;

/*
 * In older kernels nobody looks at the attributes of an operation without a
 * policy: such a one gets a policy that knows none.
 */
static int have_policies(struct genl_family *family)
{
	static const struct nla_policy none[] = { [1] = { .type = NLA_REJECT } };
	static struct genl_split_ops operations[16];
	unsigned int i;

	if (WARN_ON(family->n_split_ops > ARRAY_SIZE(operations)))
		return -EINVAL;
	for (i = 0; i < family->n_split_ops; i++) {
		operations[i] = family->split_ops[i];
		if (!operations[i].policy) {
			operations[i].policy = none;
			operations[i].maxattr = 1;
		}
	}
	family->split_ops = operations;
	return 0;
}

int maclearn_register_family(int (*bind)(int group))
{
	int err;

	err = have_policies(&maclearn_nl_family);
	if (err)
		return err;
	maclearn_nl_family.bind = bind;
	err = genl_register_family(&maclearn_nl_family);
	WRITE_ONCE(is_registered, !err);
	return err;
}

void maclearn_unregister_family(void)
{
	down_write(&family_lock);
	WRITE_ONCE(is_registered, false);
	up_write(&family_lock);
	genl_unregister_family(&maclearn_nl_family);
}

bool maclearn_has_listeners(struct net *net)
{
	return READ_ONCE(is_registered) &&
	       genl_has_listeners(&maclearn_nl_family, net,
				  MACLEARN_NLGRP_EVENTS) > 0;
}

void *maclearn_genlmsg_put_event(struct sk_buff *skb, u8 command)
{
	return genlmsg_put(skb, 0, 0, &maclearn_nl_family, 0, command);
}

void maclearn_genlmsg_multicast(struct net *net, struct sk_buff *skb)
{
	down_read(&family_lock);
	if (is_registered)
		genlmsg_multicast_netns(&maclearn_nl_family, net, skb, 0,
					MACLEARN_NLGRP_EVENTS, GFP_KERNEL);
	else
		nlmsg_free(skb);
	up_read(&family_lock);
}

struct net *maclearn_genl_info_net(const struct genl_info *info)
{
	return genl_info_net(info);
}

/* The last attribute type that the policy of the operation knows. */
u32 maclearn_genl_info_maxattr(const struct genl_info *info)
{
	const struct genl_family *family = info->family;
	u16 flags = info->nlhdr->nlmsg_flags;
	bool is_dump = (flags & NLM_F_DUMP) == NLM_F_DUMP;
	unsigned int i;

	for (i = 0; i < family->n_split_ops; i++) {
		const struct genl_split_ops *op = &family->split_ops[i];

		if (op->cmd == info->genlhdr->cmd &&
		    is_dump == !!(op->flags & GENL_CMD_CAP_DUMP))
			return op->maxattr;
	}
	return 0;
}

const struct genl_info *
maclearn_genl_dump_info(const struct netlink_callback *cb)
{
	return genl_info_dump((struct netlink_callback *)cb);
}

void *maclearn_callback_context(struct netlink_callback *cb)
{
	return cb->ctx;
}

struct mem_cgroup *maclearn_memcg_of_caller(void)
{
	return get_mem_cgroup_from_mm(current->mm);
}

void maclearn_memcg_put(struct mem_cgroup *memcg)
{
	mem_cgroup_put(memcg);
}

/* Returns the one that was active before. */
struct mem_cgroup *maclearn_set_active_memcg(struct mem_cgroup *memcg)
{
	return set_active_memcg(memcg);
}

void *maclearn_kvzalloc(size_t size)
{
	/* Who has no memory for it goes without: nobody is killed for it. */
	return kvzalloc(size, GFP_KERNEL_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN);
}

void maclearn_kvfree(void *memory)
{
	kvfree(memory);
}
