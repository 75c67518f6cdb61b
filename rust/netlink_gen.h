/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/maclearn.yaml */
/* YNL-GEN kernel header */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#ifndef _LINUX_MACLEARN_GEN_H
#define _LINUX_MACLEARN_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/maclearn.h>

int maclearn_nl_port_get_doit(struct sk_buff *skb, struct genl_info *info);
int maclearn_nl_port_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);
int maclearn_nl_port_set_doit(struct sk_buff *skb, struct genl_info *info);
int maclearn_nl_bridge_get_doit(struct sk_buff *skb, struct genl_info *info);
int maclearn_nl_bridge_get_dumpit(struct sk_buff *skb,
				  struct netlink_callback *cb);
int maclearn_nl_bridge_set_doit(struct sk_buff *skb, struct genl_info *info);
int maclearn_nl_entry_get_dumpit(struct sk_buff *skb,
				 struct netlink_callback *cb);
int maclearn_nl_entry_new_doit(struct sk_buff *skb, struct genl_info *info);
int maclearn_nl_entry_del_doit(struct sk_buff *skb, struct genl_info *info);
int maclearn_nl_entry_flush_doit(struct sk_buff *skb, struct genl_info *info);
int maclearn_nl_stats_get_doit(struct sk_buff *skb, struct genl_info *info);
int maclearn_nl_stats_get_dumpit(struct sk_buff *skb,
				 struct netlink_callback *cb);
int maclearn_nl_stats_reset_doit(struct sk_buff *skb, struct genl_info *info);

enum {
	MACLEARN_NLGRP_EVENTS,
};

extern struct genl_family maclearn_nl_family;

#endif /* _LINUX_MACLEARN_GEN_H */
