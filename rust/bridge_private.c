// SPDX-License-Identifier: GPL-2.0

/*
 * What this module takes for granted of the bridge and no public header says.
 * This file is compiled where the kernel's source is at hand, and does nothing.
 */
#include <linux/build_bug.h>
#include "br_private.h"
#include "helpers.h"

/* What the bridge keeps in a frame's control block ends before the cb tag. */
static_assert(sizeof(struct br_input_skb_cb) <= MACLEARN_CB_TAG_OFFSET);

/* And it begins with the bridge device. */
static_assert(offsetof(struct br_input_skb_cb, brdev) == 0);

/* There are bits there whose place nothing but a look at one tells. */
static void __used check_bridge_cb(void)
{
	const union {
		struct br_input_skb_cb theirs;
		struct maclearn_bridge_cb ours;
	} promisc = { .theirs = { .promisc = 1 } };

	BUILD_BUG_ON(!promisc.ours.promisc);
	BUILD_BUG_ON(promisc.ours.src_port_isolated || promisc.ours.proxyarp_replied);
}

/* Each port has a number in the table, and so has the bridge itself. */
static_assert(BR_MAX_PORTS <= MACLEARN_MAX_PORTS);
