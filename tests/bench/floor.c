// SPDX-License-Identifier: GPL-2.0

/*
 * The floor of any filter that hooks the bridge: an empty hook for each frame
 * that enters, and one that drops each copy without looking at it.
 */

#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <net/net_namespace.h>

static unsigned int pass_frame(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

static unsigned int drop_copy(void *priv, struct sk_buff *skb,
			      const struct nf_hook_state *state)
{
	return NF_DROP;
}

static const struct nf_hook_ops hooks[] = {
	{
		.hook = pass_frame,
		.pf = NFPROTO_BRIDGE,
		.hooknum = NF_BR_PRE_ROUTING,
		.priority = NF_BR_PRI_LAST,
	},
	{
		.hook = drop_copy,
		.pf = NFPROTO_BRIDGE,
		.hooknum = NF_BR_FORWARD,
		.priority = NF_BR_PRI_FIRST,
	},
};

static int __init floor_init(void)
{
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
