// SPDX-License-Identifier: GPL-2.0

/*
 * The floor of any filter that hooks the bridge: an empty hook for each frame
 * that enters, and one that drops each copy without looking at it, unless it
 * leaves through the port "deliver". Without "deliver" both hooks are empty.
 */

#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <net/net_namespace.h>

static char *deliver;
module_param(deliver, charp, 0444);
MODULE_PARM_DESC(deliver, "name of the port that gets its copies (default: all do)");

static int deliver_ifindex;

static unsigned int pass(void *priv, struct sk_buff *skb,
			 const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

static unsigned int drop_copy(void *priv, struct sk_buff *skb,
			      const struct nf_hook_state *state)
{
	return state->out->ifindex == deliver_ifindex ? NF_ACCEPT : NF_DROP;
}

static struct nf_hook_ops hooks[] = {
	{
		.hook = pass,
		.pf = NFPROTO_BRIDGE,
		.hooknum = NF_BR_PRE_ROUTING,
		.priority = NF_BR_PRI_LAST,
	},
	{
		.hook = pass,
		.pf = NFPROTO_BRIDGE,
		.hooknum = NF_BR_FORWARD,
		.priority = NF_BR_PRI_FIRST,
	},
};

static int __init floor_init(void)
{
	struct net_device *device;

	if (deliver) {
		device = dev_get_by_name(&init_net, deliver);
		if (!device)
			return -ENODEV;
		deliver_ifindex = device->ifindex;
		dev_put(device);
		hooks[1].hook = drop_copy;
	}
	return nf_register_net_hooks(&init_net, hooks, ARRAY_SIZE(hooks));
}

static void __exit floor_exit(void)
{
	nf_unregister_net_hooks(&init_net, hooks, ARRAY_SIZE(hooks));
}

module_init(floor_init);
module_exit(floor_exit);
MODULE_DESCRIPTION("The cost of hooking the bridge without looking at frames");
MODULE_LICENSE("GPL");
