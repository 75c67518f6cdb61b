// SPDX-License-Identifier: GPL-2.0

#include <linux/bottom_half.h>
#include <linux/capability.h>
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "helpers.h"

bool maclearn_is_bridge(const struct net_device *dev)
{
	return netif_is_bridge_master(dev);
}

bool maclearn_is_bridge_port(const struct net_device *dev)
{
	return netif_is_bridge_port(dev);
}

struct net *maclearn_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

struct kobject *maclearn_dev_kobject(struct net_device *dev)
{
	return &dev->dev.kobj;
}

bool maclearn_may_configure(const struct net_device *dev)
{
	return ns_capable(dev_net(dev)->user_ns, CAP_NET_ADMIN);
}

void maclearn_dev_hold(struct net_device *dev)
{
	dev_hold(dev);
}

void maclearn_dev_put(struct net_device *dev)
{
	dev_put(dev);
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

/* A directory below a net_device belongs to whoever owns its namespace. */
void maclearn_kobject_ownership(const struct kobject *kobj,
				kuid_t *uid, kgid_t *gid)
{
	const struct device *dev = kobj_to_dev(kobj->parent);

	net_ns_get_ownership(dev_net(to_net_dev(dev)), uid, gid);
}

void *maclearn_alloc_percpu(size_t size, size_t align)
{
	return (__force void *)__alloc_percpu(size, align);
}

void maclearn_free_percpu(void *base)
{
	free_percpu((void __percpu *)base);
}

void *maclearn_this_cpu_ptr(void *base)
{
	return this_cpu_ptr((void __percpu *)base);
}

void *maclearn_per_cpu_ptr(void *base, int cpu)
{
	return per_cpu_ptr((void __percpu *)base, cpu);
}

/* The possible CPU after @cpu (-1 for the first), or -1 after the last. */
int maclearn_next_possible_cpu(int cpu)
{
	cpu = cpumask_next(cpu, cpu_possible_mask);
	return cpu < nr_cpu_ids ? cpu : -1;
}

void maclearn_bh_disable(void)
{
	local_bh_disable();
}

void maclearn_bh_enable(void)
{
	local_bh_enable();
}

void maclearn_delayed_work_init(struct delayed_work *work, work_func_t run)
{
	INIT_DELAYED_WORK(work, run);
}

bool maclearn_delayed_work_schedule(struct delayed_work *work,
				    unsigned long delay)
{
	return mod_delayed_work(system_dfl_wq, work, delay);
}

void maclearn_consume_skb(struct sk_buff *skb)
{
	consume_skb(skb);
}

void *maclearn_kvzalloc(size_t size)
{
	return kvzalloc(size, GFP_KERNEL);
}

void maclearn_kvfree(void *memory)
{
	kvfree(memory);
}
