// SPDX-License-Identifier: GPL-2.0

//! The attributes of ports and bridges in sysfs: their names, how a value is written and what is
//! accepted.

use core::fmt::{self, Write};

use kernel::{c_str, prelude::*};

use super::{
    network::Network,
    settings::{change_bridge, change_port},
};
use crate::{
    kapi::{
        netdevice::NetDevice,
        pernet,
        rcu::ReadSection,
        sysfs::{Attribute, Group, Text},
    },
    state::{
        ageing::MAX_AGEING_SECONDS,
        bridge::Bridge,
        counters::Counter,
        flags::Flag,
        port::Port,
        settings::{BridgeChange, PortChange, MAX_BRIDGE_MACS, MAX_PORT_MACS},
    },
    work::forget::forget_learned,
};

/// Fails unless the calling thread may configure `device`.
fn permit(device: &NetDevice) -> Result {
    if device.may_configure() {
        Ok(())
    } else {
        Err(EPERM)
    }
}

/// A decimal number of at most `max`, with nothing around it.
fn parse_number(text: &str, max: u64) -> Result<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(EINVAL);
    }
    text.parse()
        .ok()
        .filter(|&number| u64::from(number) <= max)
        .ok_or(EINVAL)
}

/// `0` or `1`.
fn parse_switch(text: &str) -> Result<bool> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(EINVAL),
    }
}

/// The index of `text` among `words`.
fn parse_word(text: &str, words: [&str; 2]) -> Result<bool> {
    if text == words[0] {
        Ok(false)
    } else if text == words[1] {
        Ok(true)
    } else {
        Err(EINVAL)
    }
}

/// `1`, which asks for something to be done.
fn parse_trigger(text: &str) -> Result {
    if text == "1" {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

const UNKNOWN_UNICAST: [&str; 2] = ["flood", "suppress"];
const ON_FAILURE: [&str; 2] = ["open", "closed"];
const AGEING: [&str; 2] = ["own", "bridge"];
const FDB_OFFLOAD: [&str; 2] = ["off", "auto"];

/// Gives a port a setting, if that is permitted and the value was understood.
fn set_port<T>(port: &Port, value: Result<T>, set: fn(&mut PortChange, T)) -> Result {
    permit(&port.device)?;
    let mut change = PortChange::default();
    set(&mut change, value?);
    // The device stays in its namespace until its directory is gone, which waits for this.
    let network =
        ReadSection::enter(|section| pernet::get::<Network>(port.device.net_rcu(section)));
    change_port(&*network.ok_or(ENODEV)?, port, &change)
}

/// Gives a bridge a setting, if that is permitted and the value was understood.
fn set_bridge<T>(bridge: &Bridge, value: Result<T>, set: fn(&mut BridgeChange, T)) -> Result {
    permit(&bridge.device)?;
    let mut change = BridgeChange::default();
    set(&mut change, value?);
    change_bridge(bridge, &change);
    Ok(())
}

static PORT_SETTINGS: [Attribute<Port>; 9] = [
    Attribute::read_write(
        c"enabled",
        |port, out| show_switch(out, port.flags().has(Flag::Enabled)),
        |port, text| {
            set_port(port, parse_switch(text), |change, value| {
                change.enabled = Some(value)
            })
        },
    ),
    Attribute::read_write(
        c"learning",
        |port, out| show_switch(out, port.flags().has(Flag::Learning)),
        |port, text| {
            set_port(port, parse_switch(text), |change, value| {
                change.learning = Some(value)
            })
        },
    ),
    Attribute::read_write(
        c"unknown_unicast",
        |port, out| {
            show_word(
                out,
                UNKNOWN_UNICAST,
                port.flags().has(Flag::SuppressUnknown),
            )
        },
        |port, text| {
            set_port(port, parse_word(text, UNKNOWN_UNICAST), |change, value| {
                change.suppress_unknown = Some(value)
            })
        },
    ),
    Attribute::read_write(
        c"on_failure",
        |port, out| show_word(out, ON_FAILURE, port.flags().has(Flag::FailClosed)),
        |port, text| {
            set_port(port, parse_word(text, ON_FAILURE), |change, value| {
                change.fail_closed = Some(value)
            })
        },
    ),
    Attribute::read_write(
        c"max_macs",
        |port, out| write!(out, "{}", port.max_macs()),
        |port, text| {
            set_port(port, parse_number(text, MAX_PORT_MACS), |change, value| {
                change.max_macs = Some(value)
            })
        },
    ),
    Attribute::write_only(c"flush", |port, text| {
        permit(&port.device)?;
        parse_trigger(text)?;
        forget_learned(&port.bridge, Some(port));
        Ok(())
    }),
    Attribute::read_only(c"n_macs", |port, out| write!(out, "{}", port.macs())),
    Attribute::read_only(c"failing_open", |port, out| {
        show_switch(out, port.flags().has(Flag::FailingOpen))
    }),
    Attribute::read_only(c"limit_reached", |port, out| {
        show_switch(out, port.flags().has(Flag::AtLimit))
    }),
];

static BRIDGE_SETTINGS: [Attribute<Bridge>; 14] = [
    Attribute::read_write(
        c"auto_enable",
        |bridge, out| show_switch(out, bridge.defaults.flags().has(Flag::Enabled)),
        |bridge, text| {
            set_bridge(bridge, parse_switch(text), |change, value| {
                change.defaults.enabled = Some(value)
            })
        },
    ),
    Attribute::read_write(
        c"default_learning",
        |bridge, out| show_switch(out, bridge.defaults.flags().has(Flag::Learning)),
        |bridge, text| {
            set_bridge(bridge, parse_switch(text), |change, value| {
                change.defaults.learning = Some(value)
            })
        },
    ),
    Attribute::read_write(
        c"default_unknown_unicast",
        |bridge, out| {
            show_word(
                out,
                UNKNOWN_UNICAST,
                bridge.defaults.flags().has(Flag::SuppressUnknown),
            )
        },
        |bridge, text| {
            set_bridge(
                bridge,
                parse_word(text, UNKNOWN_UNICAST),
                |change, value| change.defaults.suppress_unknown = Some(value),
            )
        },
    ),
    Attribute::read_write(
        c"default_on_failure",
        |bridge, out| {
            show_word(
                out,
                ON_FAILURE,
                bridge.defaults.flags().has(Flag::FailClosed),
            )
        },
        |bridge, text| {
            set_bridge(bridge, parse_word(text, ON_FAILURE), |change, value| {
                change.defaults.fail_closed = Some(value)
            })
        },
    ),
    Attribute::read_write(
        c"default_max_macs",
        |bridge, out| write!(out, "{}", bridge.defaults.max_macs()),
        |bridge, text| {
            set_bridge(
                bridge,
                parse_number(text, MAX_PORT_MACS),
                |change, value| change.defaults.max_macs = Some(value),
            )
        },
    ),
    Attribute::read_write(
        c"ageing_time",
        |bridge, out| write!(out, "{}", bridge.ageing_seconds()),
        |bridge, text| {
            set_bridge(
                bridge,
                parse_number(text, MAX_AGEING_SECONDS.into()),
                |change, value| change.ageing_seconds = Some(value),
            )
        },
    ),
    Attribute::read_write(
        c"ageing",
        |bridge, out| show_word(out, AGEING, bridge.follows_ageing()),
        |bridge, text| {
            set_bridge(bridge, parse_word(text, AGEING), |change, value| {
                change.follows_ageing = Some(value)
            })
        },
    ),
    Attribute::read_write(
        c"exclusive",
        |bridge, out| show_switch(out, bridge.is_exclusive()),
        |bridge, text| {
            set_bridge(bridge, parse_switch(text), |change, value| {
                change.exclusive = Some(value)
            })
        },
    ),
    Attribute::read_write(
        c"max_macs",
        |bridge, out| write!(out, "{}", bridge.max_macs()),
        |bridge, text| {
            set_bridge(
                bridge,
                parse_number(text, MAX_BRIDGE_MACS),
                |change, value| change.max_macs = Some(value),
            )
        },
    ),
    Attribute::read_write(
        c"fdb_offload",
        |bridge, out| show_word(out, FDB_OFFLOAD, bridge.offloads()),
        |bridge, text| {
            set_bridge(bridge, parse_word(text, FDB_OFFLOAD), |change, value| {
                change.offload = Some(value)
            })
        },
    ),
    Attribute::write_only(c"flush", |bridge, text| {
        permit(&bridge.device)?;
        parse_trigger(text)?;
        forget_learned(bridge, None);
        Ok(())
    }),
    Attribute::read_only(c"n_macs", |bridge, out| {
        write!(out, "{}", bridge.table.total())
    }),
    Attribute::read_only(c"n_offloaded", |bridge, out| {
        write!(out, "{}", bridge.table.published())
    }),
    Attribute::read_only(c"memory", |bridge, out| {
        write!(out, "{}", bridge.table.memory_bytes())
    }),
];

/// One read-only attribute for each counter, of a port or summed over a bridge's ports.
macro_rules! statistics {
    ($type:ty, $count:expr) => {
        [
            statistics!($type, $count, "suppressed", Suppressed),
            statistics!($type, $count, "suppressed_bytes", SuppressedBytes),
            statistics!($type, $count, "passed_owned", PassedOwned),
            statistics!($type, $count, "passed_unknown", PassedUnknown),
            statistics!($type, $count, "passed_failing_open", PassedFailingOpen),
            statistics!($type, $count, "passed_multicast", PassedMulticast),
            statistics!($type, $count, "learned", Learned),
            statistics!($type, $count, "moved_in", MovedIn),
            statistics!($type, $count, "aged", Aged),
            statistics!($type, $count, "limit_hits", LimitHits),
            statistics!($type, $count, "dropped_closed", DroppedClosed),
        ]
    };
    ($type:ty, $count:expr, $name:literal, $counter:ident) => {
        Attribute::<$type>::read_only(c_str!($name), |of, out| {
            write!(out, "{}", $count(of, Counter::$counter))
        })
    };
}

static PORT_STATISTICS: [Attribute<Port>; 11] = statistics!(Port, Port::count_of);
static BRIDGE_STATISTICS: [Attribute<Bridge>; 11] = statistics!(Bridge, Bridge::count_of);

/// What `/sys/class/net/PORT/maclearn` holds.
pub(crate) static PORT: &[Group<Port>] = &[
    Group {
        name: None,
        attributes: &PORT_SETTINGS,
    },
    Group {
        name: Some(c"statistics"),
        attributes: &PORT_STATISTICS,
    },
];

/// What `/sys/class/net/BRIDGE/maclearn` holds.
pub(crate) static BRIDGE: &[Group<Bridge>] = &[
    Group {
        name: None,
        attributes: &BRIDGE_SETTINGS,
    },
    Group {
        name: Some(c"statistics"),
        attributes: &BRIDGE_STATISTICS,
    },
];

fn show_word(out: &mut Text<'_>, words: [&str; 2], which: bool) -> fmt::Result {
    out.write_str(words[usize::from(which)])
}

fn show_switch(out: &mut Text<'_>, on: bool) -> fmt::Result {
    write!(out, "{}", u8::from(on))
}

#[kernel::macros::kunit_tests(maclearn_attributes)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_plain_decimals_in_range() {
        assert_eq!(parse_number("0", 10), Ok(0));
        assert_eq!(parse_number("10", 10), Ok(10));
        for text in [
            "",
            " ",
            "11",
            "-1",
            "+1",
            "0x1",
            "1 ",
            " 1",
            "1\n",
            "1.0",
            "١",
            "99999999999999999999",
        ] {
            assert_eq!(parse_number(text, 10), Err(EINVAL));
        }
    }

    #[test]
    fn switches_are_0_or_1() {
        assert_eq!(parse_switch("0"), Ok(false));
        assert_eq!(parse_switch("1"), Ok(true));
        for text in ["", "2", "y", "on", "01", "1 ", "\0"] {
            assert_eq!(parse_switch(text), Err(EINVAL));
        }
    }

    #[test]
    fn words_are_exact() {
        assert_eq!(parse_word("flood", UNKNOWN_UNICAST), Ok(false));
        assert_eq!(parse_word("suppress", UNKNOWN_UNICAST), Ok(true));
        for text in ["", "FLOOD", "Flood", "floo", "floods", "0", "open"] {
            assert_eq!(parse_word(text, UNKNOWN_UNICAST), Err(EINVAL));
        }
    }

    #[test]
    fn triggers_take_1() {
        assert_eq!(parse_trigger("1"), Ok(()));
        for text in ["", "0", "2", "11"] {
            assert_eq!(parse_trigger(text), Err(EINVAL));
        }
    }
}
