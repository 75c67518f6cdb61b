/* SPDX-License-Identifier: GPL-2.0 */
#include <linux/etherdevice.h>
#include <linux/if_bridge.h>
#include <linux/if_vlan.h>
#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <linux/notifier.h>
#include <linux/random.h>
#include <linux/skbuff.h>
#include <linux/sysfs.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include "helpers.h"
#include "netlink_gen.h"
