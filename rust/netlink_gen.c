// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/maclearn.yaml */
/* YNL-GEN kernel source */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink_gen.h"

#include <uapi/linux/maclearn.h>

/* Integer value ranges */
static const struct netlink_range_validation maclearn_a_port_max_macs_range = {
	.max	= MACLEARN_MAX_PORT_MACS,
};

static const struct netlink_range_validation maclearn_a_bridge_ageing_time_range = {
	.max	= MACLEARN_MAX_AGEING_TIME,
};

static const struct netlink_range_validation maclearn_a_bridge_max_macs_range = {
	.max	= MACLEARN_MAX_BRIDGE_MACS,
};

static const struct netlink_range_validation maclearn_a_bridge_default_max_macs_range = {
	.max	= MACLEARN_MAX_PORT_MACS,
};

/* MACLEARN_CMD_PORT_GET - do */
static const struct nla_policy maclearn_port_get_do_nl_policy[MACLEARN_A_PORT_IFINDEX + 1] = {
	[MACLEARN_A_PORT_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* MACLEARN_CMD_PORT_GET - dump */
static const struct nla_policy maclearn_port_get_dump_nl_policy[MACLEARN_A_PORT_BRIDGE + 1] = {
	[MACLEARN_A_PORT_BRIDGE] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* MACLEARN_CMD_PORT_SET - do */
static const struct nla_policy maclearn_port_set_nl_policy[MACLEARN_A_PORT_MAX_MACS + 1] = {
	[MACLEARN_A_PORT_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[MACLEARN_A_PORT_ENABLED] = NLA_POLICY_MAX(NLA_U8, 1),
	[MACLEARN_A_PORT_LEARNING] = NLA_POLICY_MAX(NLA_U8, 1),
	[MACLEARN_A_PORT_UNKNOWN_UNICAST] = NLA_POLICY_MAX(NLA_U32, 1),
	[MACLEARN_A_PORT_ON_FAILURE] = NLA_POLICY_MAX(NLA_U32, 1),
	[MACLEARN_A_PORT_MAX_MACS] = NLA_POLICY_FULL_RANGE(NLA_U32, &maclearn_a_port_max_macs_range),
};

/* MACLEARN_CMD_BRIDGE_GET - do */
static const struct nla_policy maclearn_bridge_get_nl_policy[MACLEARN_A_BRIDGE_IFINDEX + 1] = {
	[MACLEARN_A_BRIDGE_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* MACLEARN_CMD_BRIDGE_SET - do */
static const struct nla_policy maclearn_bridge_set_nl_policy[MACLEARN_A_BRIDGE_AGEING + 1] = {
	[MACLEARN_A_BRIDGE_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[MACLEARN_A_BRIDGE_AUTO_ENABLE] = NLA_POLICY_MAX(NLA_U8, 1),
	[MACLEARN_A_BRIDGE_AGEING_TIME] = NLA_POLICY_FULL_RANGE(NLA_U32, &maclearn_a_bridge_ageing_time_range),
	[MACLEARN_A_BRIDGE_EXCLUSIVE] = NLA_POLICY_MAX(NLA_U8, 1),
	[MACLEARN_A_BRIDGE_MAX_MACS] = NLA_POLICY_FULL_RANGE(NLA_U32, &maclearn_a_bridge_max_macs_range),
	[MACLEARN_A_BRIDGE_DEFAULT_LEARNING] = NLA_POLICY_MAX(NLA_U8, 1),
	[MACLEARN_A_BRIDGE_DEFAULT_UNKNOWN_UNICAST] = NLA_POLICY_MAX(NLA_U32, 1),
	[MACLEARN_A_BRIDGE_DEFAULT_ON_FAILURE] = NLA_POLICY_MAX(NLA_U32, 1),
	[MACLEARN_A_BRIDGE_DEFAULT_MAX_MACS] = NLA_POLICY_FULL_RANGE(NLA_U32, &maclearn_a_bridge_default_max_macs_range),
	[MACLEARN_A_BRIDGE_FDB_OFFLOAD] = NLA_POLICY_MAX(NLA_U32, 2),
	[MACLEARN_A_BRIDGE_AGEING] = NLA_POLICY_MAX(NLA_U32, 1),
};

/* MACLEARN_CMD_ENTRY_GET - dump */
static const struct nla_policy maclearn_entry_get_nl_policy[MACLEARN_A_ENTRY_STATIC + 1] = {
	[MACLEARN_A_ENTRY_BRIDGE] = NLA_POLICY_MIN(NLA_U32, 1),
	[MACLEARN_A_ENTRY_PORT] = NLA_POLICY_MIN(NLA_U32, 1),
	[MACLEARN_A_ENTRY_VLAN] = NLA_POLICY_MAX(NLA_U16, 4094),
	[MACLEARN_A_ENTRY_MAC] = NLA_POLICY_EXACT_LEN(6),
	[MACLEARN_A_ENTRY_STATIC] = NLA_POLICY_MAX(NLA_U8, 1),
};

/* MACLEARN_CMD_ENTRY_NEW - do */
static const struct nla_policy maclearn_entry_new_nl_policy[MACLEARN_A_ENTRY_AGE + 1] = {
	[MACLEARN_A_ENTRY_PORT] = NLA_POLICY_MIN(NLA_U32, 1),
	[MACLEARN_A_ENTRY_VLAN] = NLA_POLICY_MAX(NLA_U16, 4094),
	[MACLEARN_A_ENTRY_MAC] = NLA_POLICY_EXACT_LEN(6),
	[MACLEARN_A_ENTRY_STATIC] = NLA_POLICY_MAX(NLA_U8, 1),
	[MACLEARN_A_ENTRY_AGE] = { .type = NLA_U32, },
};

/* MACLEARN_CMD_ENTRY_DEL - do */
static const struct nla_policy maclearn_entry_del_nl_policy[MACLEARN_A_ENTRY_MAC + 1] = {
	[MACLEARN_A_ENTRY_PORT] = NLA_POLICY_MIN(NLA_U32, 1),
	[MACLEARN_A_ENTRY_VLAN] = NLA_POLICY_MAX(NLA_U16, 4094),
	[MACLEARN_A_ENTRY_MAC] = NLA_POLICY_EXACT_LEN(6),
};

/* MACLEARN_CMD_ENTRY_FLUSH - do */
static const struct nla_policy maclearn_entry_flush_nl_policy[MACLEARN_A_ENTRY_STATIC + 1] = {
	[MACLEARN_A_ENTRY_BRIDGE] = NLA_POLICY_MIN(NLA_U32, 1),
	[MACLEARN_A_ENTRY_PORT] = NLA_POLICY_MIN(NLA_U32, 1),
	[MACLEARN_A_ENTRY_VLAN] = NLA_POLICY_MAX(NLA_U16, 4094),
	[MACLEARN_A_ENTRY_MAC] = NLA_POLICY_EXACT_LEN(6),
	[MACLEARN_A_ENTRY_STATIC] = NLA_POLICY_MAX(NLA_U8, 1),
};

/* MACLEARN_CMD_STATS_GET - do */
static const struct nla_policy maclearn_stats_get_nl_policy[MACLEARN_A_STATISTICS_IFINDEX + 1] = {
	[MACLEARN_A_STATISTICS_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* MACLEARN_CMD_STATS_RESET - do */
static const struct nla_policy maclearn_stats_reset_nl_policy[MACLEARN_A_STATISTICS_IFINDEX + 1] = {
	[MACLEARN_A_STATISTICS_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* Ops table for maclearn */
static const struct genl_split_ops maclearn_nl_ops[] = {
	{
		.cmd		= MACLEARN_CMD_PORT_GET,
		.doit		= maclearn_nl_port_get_doit,
		.policy		= maclearn_port_get_do_nl_policy,
		.maxattr	= MACLEARN_A_PORT_IFINDEX,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd		= MACLEARN_CMD_PORT_GET,
		.dumpit		= maclearn_nl_port_get_dumpit,
		.policy		= maclearn_port_get_dump_nl_policy,
		.maxattr	= MACLEARN_A_PORT_BRIDGE,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= MACLEARN_CMD_PORT_SET,
		.doit		= maclearn_nl_port_set_doit,
		.policy		= maclearn_port_set_nl_policy,
		.maxattr	= MACLEARN_A_PORT_MAX_MACS,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= MACLEARN_CMD_BRIDGE_GET,
		.doit		= maclearn_nl_bridge_get_doit,
		.policy		= maclearn_bridge_get_nl_policy,
		.maxattr	= MACLEARN_A_BRIDGE_IFINDEX,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= MACLEARN_CMD_BRIDGE_GET,
		.dumpit	= maclearn_nl_bridge_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= MACLEARN_CMD_BRIDGE_SET,
		.doit		= maclearn_nl_bridge_set_doit,
		.policy		= maclearn_bridge_set_nl_policy,
		.maxattr	= MACLEARN_A_BRIDGE_AGEING,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= MACLEARN_CMD_ENTRY_GET,
		.dumpit		= maclearn_nl_entry_get_dumpit,
		.policy		= maclearn_entry_get_nl_policy,
		.maxattr	= MACLEARN_A_ENTRY_STATIC,
		.flags		= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= MACLEARN_CMD_ENTRY_NEW,
		.doit		= maclearn_nl_entry_new_doit,
		.policy		= maclearn_entry_new_nl_policy,
		.maxattr	= MACLEARN_A_ENTRY_AGE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= MACLEARN_CMD_ENTRY_DEL,
		.doit		= maclearn_nl_entry_del_doit,
		.policy		= maclearn_entry_del_nl_policy,
		.maxattr	= MACLEARN_A_ENTRY_MAC,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= MACLEARN_CMD_ENTRY_FLUSH,
		.doit		= maclearn_nl_entry_flush_doit,
		.policy		= maclearn_entry_flush_nl_policy,
		.maxattr	= MACLEARN_A_ENTRY_STATIC,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= MACLEARN_CMD_STATS_GET,
		.doit		= maclearn_nl_stats_get_doit,
		.policy		= maclearn_stats_get_nl_policy,
		.maxattr	= MACLEARN_A_STATISTICS_IFINDEX,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= MACLEARN_CMD_STATS_GET,
		.dumpit	= maclearn_nl_stats_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= MACLEARN_CMD_STATS_RESET,
		.doit		= maclearn_nl_stats_reset_doit,
		.policy		= maclearn_stats_reset_nl_policy,
		.maxattr	= MACLEARN_A_STATISTICS_IFINDEX,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
};

static const struct genl_multicast_group maclearn_nl_mcgrps[] = {
	[MACLEARN_NLGRP_EVENTS] = { "events", },
};

struct genl_family maclearn_nl_family __ro_after_init = {
	.name		= MACLEARN_FAMILY_NAME,
	.version	= MACLEARN_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= maclearn_nl_ops,
	.n_split_ops	= ARRAY_SIZE(maclearn_nl_ops),
	.mcgrps		= maclearn_nl_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(maclearn_nl_mcgrps),
};
