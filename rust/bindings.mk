# SPDX-License-Identifier: GPL-2.0

# What bindgen takes from bindings.h: only what the abstractions use.

bindings-functions := nla_put|skb_(trim|copy_bits)|consume_skb|maclearn_.*|nf_(un)?register_net_hooks?|(un)?register_netdevice_notifier|(un)?register_pernet_subsys|br_.*|rtnl_(|try|un)lock|ns_capable|netdev_lower_get_next|(un)?register_switchdev(_blocking)?_notifier|call_switchdev_notifiers|dev_set_promiscuity|switchdev_bridge_port_replay|kobject_(put|del)|get_random_bytes|synchronize_net|netdev_master_upper_dev_get(_rcu)?|netdev_walk_all_lower_dev_rcu|disable_delayed_work_sync|net_ratelimit

bindings-types := switchdev_notifier_(info|fdb_info|port_attr_info|port_obj_info|type)|switchdev_(attr|obj)_id|genl_info|genl_family|netlink_callback|netlink_ext_ack|nlattr|maclearn_layout|maclearn_bridge_cb|maclearn_port_flag|netdev_cmd|nf_dev_hooks|work_struct|delayed_work|nf_hook_ops|nf_hook_state|sk_buff|skb_shared_info|net_device|net_device_path(_ctx)?|netdev_nested_priv|net|notifier_block|netdev_notifier_info|netdev_notifier_changeupper_info|pernet_operations|kobject|kobj_type|attribute|sysfs_ops|ethhdr|bridge_vlan_info

bindings-constants := MACLEARN_(MAX_PORTS|CB_TAG_OFFSET|NETLINK_CTX_SIZE)|init_net|CAP_NET_ADMIN|IFNAMSIZ|jiffies|CONFIG_HZ|USER_HZ|NOTIFY_.*|NF_.*|NFPROTO_.*|NETDEV_.*|BR_.*|BRIDGE_.*|ETH_.*|NET_XMIT_.*|PACKET_MULTICAST
